/// Rows that programs of each version of the tables wrote: every state of everything. Each version's are
/// added to a ledger that has been through the versions before.
enum LedgerVersions {
  static func rows(of version: Int) -> String {
    switch version {
    case 1: first
    case 2: second
    case 3: third
    case 4: fourth
    case 5: fifth
    case 6: sixth
    case 7: seventh
    case 8: eighth
    case 9: ninth
    case 10: tenth
    case 11: eleventh
    case 12: twelfth
    case 14: fourteenth
    case 15: fifteenth
    case 16: sixteenth
    case 17: seventeenth
    case 18: eighteenth
    case 19: nineteenth
    case 21: twentyFirst
    case 22: twentySecond
    case 23: twentyThird
    case 24: twentyFourth
    case 25: twentyFifth
    case 26: twentySixth
    case 27: twentySeventh
    case 28: twentyEighth
    default: ""
    }
  }

  private static func hash(_ digit: String) -> String { String(repeating: digit, count: 64) }

  private static let first = """
    INSERT INTO peers VALUES ('CT1', 1.0, 9.5), ('MR1', 2.0, 2.0);
    INSERT INTO studies VALUES ('1.1', 1.0), ('1.2', 2.0);
    INSERT INTO series VALUES
      ('1.1.1', '1.1', 'CT', 3, 3, 5.0), ('1.1.2', '1.1', 'CT', 1, 0, 6.0),
      ('1.2.1', '1.2', 'MR', 1, 1, 7.0);
    INSERT INTO instances (id, sop_uid, series_uid, revision, sop_class_uid, transfer_syntax,
      spool_path, byte_count, content_hash, source, calling_ae, received_at) VALUES
      (1, '1.1.1.1', '1.1.1', 1, '1.2.840.10008.5.1.4.1.1.2', '1.2.840.10008.1.2.1',
        'spool/00/01/1.dcm', 1000, '\(hash("1"))', 'listener', 'CT1', 3.25),
      (2, '1.1.1.2', '1.1.1', 2, '1.2.840.10008.5.1.4.1.1.2', '1.2.840.10008.1.2.4.90',
        'spool/00/01/2.dcm', 1001, '\(hash("2"))', 'listener', 'CT1', 4.0),
      (3, '1.1.1.2', '1.1.1', 3, '1.2.840.10008.5.1.4.1.1.2', '1.2.840.10008.1.2.1',
        'spool/00/01/3.dcm', 1002, '\(hash("3"))', 'watch', NULL, 5.0),
      (4, '1.1.2.1', '1.1.2', 1, '1.2.840.10008.5.1.4.1.1.2', '1.2.840.10008.1.2.1',
        'spool/00/02/4.dcm', 1003, '\(hash("4"))', 'command', NULL, 6.0),
      (5, '1.2.1.1', '1.2.1', 1, '1.2.840.10008.5.1.4.1.1.4', '1.2.840.10008.1.2.1',
        'spool/00/02/5.dcm', 1004, '\(hash("5"))', 'listener', 'MR1', 7.0);
    INSERT INTO jobs (id, series_uid, revision, model, result_series_uid, result_sop_uid, state,
      attempt_count, created_at, scheduled_at, finished_at, reason) VALUES
      (1, '1.1.1', 3, 'liver', '2.25.11', '2.25.12', 'completed', 2, 10.0, 11.0, 12.0, NULL),
      (2, '1.1.1', 3, 'liver', '2.25.21', '2.25.22', 'completed', 1, 13.0, 13.0, 14.0, NULL),
      (3, '1.1.1', 3, 'spleen', '2.25.31', '2.25.32', 'completed', 1, 13.0, 13.0, 15.0, NULL),
      (4, '1.1.1', 3, 'lung', '2.25.41', '2.25.42', 'running', 1, 16.0, 16.0, NULL, NULL),
      (5, '1.1.1', 3, 'kidney', '2.25.51', '2.25.52', 'retryable', 1, 16.0, 99.0, NULL, 'no memory'),
      (6, '1.1.1', 3, 'heart', '2.25.61', '2.25.62', 'held', 1, 16.0, 16.0, 17.0, 'a gap'),
      (7, '1.1.1', 3, '', '2.25.71', '2.25.72', 'cancelled', 0, 16.0, 16.0, 16.0, 'passed over'),
      (8, '1.1.1', 3, 'colon', '2.25.81', '2.25.82', 'discarded', 3, 16.0, 16.0, 18.0, 'failed'),
      (9, '1.2.1', 1, 'cardiac', '2.25.91', '2.25.92', 'available', 0, 19.0, 19.0, NULL, NULL);
    INSERT INTO attempts (job_id, number, started_at, finished_at, outcome, message) VALUES
      (1, 1, 10.5, 10.75, 'rescued', 'the process ended during the job'),
      (1, 2, 11.0, 12.0, 'completed', NULL), (2, 1, 13.0, 14.0, 'completed', NULL),
      (3, 1, 14.0, 15.0, 'completed', NULL), (4, 1, 16.5, NULL, NULL, NULL),
      (5, 1, 16.0, 16.5, 'released', 'no memory'), (6, 1, 16.0, 17.0, 'held', 'a gap'),
      (8, 1, 16.0, 16.5, 'failed', 'x'), (8, 2, 17.0, 17.5, 'failed', 'x'),
      (8, 3, 17.5, 18.0, 'failed', 'x');
    INSERT INTO results (job_id, sop_uid, path, sha256, picture_path, model_version, summary,
      created_at, superseded_by) VALUES
      (1, '2.25.12', 'results/1/segmentation.dcm', '\(hash("a"))', 'results/1/contours.png', '1.0',
        'liver 1500 ml', 12.0, 2),
      (2, '2.25.22', 'results/2/segmentation.dcm', '\(hash("b"))', 'results/2/contours.png', '1.1',
        'liver 1501 ml', 14.0, NULL),
      (3, NULL, NULL, NULL, 'results/3/contours.png', '1.0', 'nothing', 15.0, NULL);
    INSERT INTO deliveries (job_id, destination, state, attempt_count, scheduled_at, delivered_at,
      last_failure, last_error) VALUES
      (1, 'pacs', 'delivered', 1, 12.0, 12.5, NULL, NULL),
      (1, 'archive', 'superseded', 2, 12.0, NULL, 'unreachable', 'no answer'),
      (2, 'pacs', 'waiting', 4, 50.0, NULL, 'unreachable', 'no answer'),
      (2, 'archive', 'sending', 1, 14.0, NULL, NULL, NULL),
      (2, 'research', 'discarded', 5, 14.0, NULL, 'refused', '0xC000: no');
    INSERT INTO events (at, kind, series_uid, job_id, message) VALUES
      (10.0, 'created', '1.1.1', 1, 'job for model liver'),
      (10.75, 'rescued', '1.1.1', 1, 'the process ended during the job'),
      (12.0, 'completed', '1.1.1', 1, 'liver 1500 ml'), (12.5, 'delivered', NULL, 1, 'to pacs'),
      (14.0, 'superseded', '1.1.1', 1, 'by job 2'), (15.0, 'conflict', '1.1.1', NULL,
        'instance 1.1.1.2 came again with other content — ä');
    """

  private static let second = """
    INSERT INTO series VALUES ('1.2.2', '1.2', 'MR', 1, 1, 8.0);
    INSERT INTO instances (id, sop_uid, series_uid, revision, sop_class_uid, transfer_syntax,
      spool_path, byte_count, content_hash, source, calling_ae, received_at) VALUES
      (20, '1.2.2.1', '1.2.2', 1, '1.2.840.10008.5.1.4.1.1.4', '1.2.840.10008.1.2.1',
        'spool/00/03/20.dcm', 1004, '\(hash("6"))', 'listener', 'MR1', 8.0);
    INSERT INTO jobs (id, series_uid, revision, model, result_series_uid, result_sop_uid, state,
      attempt_count, created_at, scheduled_at, finished_at) VALUES
      (20, '1.2.2', 1, 'cine', '2.25.201', '2.25.202', 'completed', 1, 20.0, 20.0, 21.0);
    INSERT INTO attempts (job_id, number, started_at, finished_at, outcome) VALUES
      (20, 1, 20.0, 21.0, 'completed');
    INSERT INTO job_inputs VALUES (20, 0, 't1', '1.2.1', 1), (20, 1, 't2', '1.2.2', 1);
    INSERT INTO results (job_id, sop_uid, path, sha256, picture_path, model_version, summary,
      created_at, measurements) VALUES
      (20, '2.25.202', 'results/20/segmentation-phase-01.dcm', '\(hash("c"))',
        'results/20/contours-phase-01.png', '1.0', 'two phases', 21.0,
        '[{"name":"LV ejection fraction","unit":"%","value":60}]');
    INSERT INTO result_objects VALUES
      (20, 2, '2.25.203', 'results/20/segmentation-phase-09.dcm', '\(hash("d"))');
    INSERT INTO deliveries (job_id, destination, state, attempt_count, scheduled_at, delivered_at)
      VALUES (20, 'pacs', 'delivered', 1, 21.0, 21.5);
    """

  private static let third = """
    INSERT INTO verdicts (series_uid, revision, job_id, at, verdict, reasons, volumes) VALUES
      ('1.1.1', 3, NULL, 9.0, 'accepted', '[]', '[{"dims":[4,4,2],"images":2,"splitBy":{}}]'),
      ('1.1.1', 3, 6, 17.0, 'held', '["slices are missing"]', '[]'),
      ('1.2.2', 1, 20, 21.0, 'repaired', '["uneven spacing"]', '[]');
    """

  private static let fourth = """
    INSERT INTO jobs (id, series_uid, revision, model, result_series_uid, result_sop_uid, state,
      attempt_count, created_at, scheduled_at, finished_at) VALUES
      (40, '1.2.2', 1, 'stack', '2.25.401', '2.25.402', 'completed', 1, 40.0, 40.0, 41.0);
    INSERT INTO attempts (job_id, number, started_at, finished_at, outcome) VALUES
      (40, 1, 40.0, 41.0, 'completed');
    INSERT INTO job_inputs (job_id, position, channel, series_uid, revision, role)
      VALUES (40, 0, '', '1.2.1', 1, 'stack');
    INSERT INTO results (job_id, model_version, summary, created_at) VALUES (40, '1.0', 'x', 41.0);
    INSERT INTO result_objects VALUES
      (40, 1, 'seg', '2.25.402', 'results/40/segmentation.dcm', '\(hash("e"))'),
      (40, 2, 'picture', NULL, 'results/40/contours.png', '\(hash("f"))');
    UPDATE series SET revision = 4 WHERE series_uid = '1.1.1';
    UPDATE instances SET restored_revision = 4 WHERE id = 2;
    """

  private static let fifth = """
    INSERT INTO associations (id, key, calling_ae, called_ae, peer_address, started_at, ended_at,
      outcome, message, stored, refused) VALUES
      (1, 'd/0/1', 'CT1', 'SEGMENTD', '10.0.0.5', 50.0, 51.0, 'released', NULL, 3, 0),
      (2, 'd/0/2', 'CT1', 'SEGMENTD', '10.0.0.5', 52.0, 53.0, 'aborted by peer', 'x', 1, 1),
      (3, 'd/0/3', 'CT1', 'SEGMENTD', '10.0.0.5', 52.0, 53.0, 'connection lost', 'x', 1, 0),
      (4, 'd/0/4', 'CT1', 'SEGMENTD', '10.0.0.5', 52.0, 53.0, 'timed out', 'x', 1, 0),
      (5, 'd/0/5', 'CT1', 'SEGMENTD', '10.0.0.5', 52.0, 53.0, 'aborted', 'x', 0, 1),
      (6, 'd/0/6', 'CT1', 'SEGMENTD', '10.0.0.5', 52.0, 53.0, 'shut down', 'x', 1, 0),
      (7, 'd/0/7', 'MR1', 'SEGMENTD', '10.0.0.6', 52.0, 53.0, 'interrupted', 'x', 1, 0),
      (8, 'd/1/1', 'MR1', 'SEGMENTD', '10.0.0.6', 54.0, NULL, NULL, NULL, 1, 0);
    INSERT INTO association_series VALUES
      (1, '1.1.1', 3, 0, 50.5, 1), (2, '1.1.2', 1, 1, 52.5, NULL), (3, '1.1.1', 1, 0, 52.5, 1),
      (7, '1.2.1', 1, 0, 52.5, NULL), (8, '1.2.2', 1, 0, 54.5, NULL);
    INSERT INTO refused_instances (id, first_at, last_at, count, sop_uid, sop_class_uid, series_uid,
      study_uid, modality, transfer_syntax, status, reason, source, calling_ae, peer_address,
      association_id, file, resolved_at, resolution) VALUES
      (1, 52.5, 52.75, 2, '1.1.2.9', '1.2.840.10008.5.1.4.1.1.2', '1.1.2', '1.1', 'CT',
        '1.2.840.10008.1.2.1', 49152, 'cut off', 'listener', 'CT1', '10.0.0.5', 2, NULL, NULL, NULL),
      (2, 52.5, 52.5, 1, '1.1.1.1', NULL, '1.1.1', '1.1', 'CT', NULL, 42752, 'no space', 'listener',
        'CT1', '10.0.0.5', 5, NULL, 55.0, 'received'),
      (3, 56.0, 56.0, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'no DICOM', 'watch', NULL, NULL,
        NULL, '/in/1.dcm', NULL, NULL),
      (4, 56.0, 56.0, 1, '1.2.1.9', NULL, '1.2.1', '1.2', 'MR', NULL, 49152, 'cut off', 'listener',
        'MR1', '10.0.0.6', 7, NULL, 57.0, 'released');
    UPDATE series SET held_as_incomplete = 1 WHERE series_uid = '1.1.2';
    INSERT INTO events (at, kind, series_uid, job_id, message) VALUES
      (53.0, 'association', '1.1.2', NULL, 'association aborted by peer: x');
    """

  private static let sixth = """
    INSERT INTO completeness_checks VALUES
      ('1.1.1', 4, 'confirmed', 1, 60.0, 60.0, 2, NULL),
      ('1.1.2', 1, 'incomplete', 3, 60.0, 99.0, 5, '4 instances are missing'),
      ('1.2.1', 1, 'unconfirmed', 3, 60.0, 99.0, NULL, 'no answer'),
      ('1.2.2', 1, 'unchecked', 3, 60.0, 60.0, NULL, 'no answer');
    INSERT INTO series (series_uid, study_uid, modality, revision, assembled_revision,
      last_received_at) VALUES ('1.2.3', '1.2', 'MR', 1, 0, 61.0);
    INSERT INTO completeness_checks VALUES ('1.2.3', 1, 'waiting', 1, 61.0, 62.0, NULL, NULL);
    UPDATE association_series SET confirmed_at = 60.0 WHERE association_id = 7;
    """

  private static let seventh = """
    INSERT INTO commitments VALUES
      (1, '2.25.701', 'CT1', '10.0.0.5', 70.0, 'requested', 0, 70.0, NULL, NULL),
      (2, '2.25.702', 'CT1', '10.0.0.5', 70.0, 'ready', 2, 99.0, NULL, 'no answer'),
      (3, '2.25.703', 'CT1', '10.0.0.5', 70.0, 'reported', 1, 70.0, 71.0, NULL),
      (4, '2.25.704', 'CT1', '10.0.0.5', 70.0, 'discarded', 300, 70.0, NULL, 'no answer');
    INSERT INTO commitment_references VALUES
      (1, 0, '1.2.840.10008.5.1.4.1.1.2', '1.1.1.1', NULL),
      (2, 0, '1.2.840.10008.5.1.4.1.1.2', '1.1.1.7', 274),
      (3, 0, '1.2.840.10008.5.1.4.1.1.2', '1.1.1.1', NULL),
      (4, 0, '1.2.840.10008.5.1.4.1.1.2', '1.1.1.1', NULL);
    """

  private static let eighth = """
    INSERT INTO crashing_files VALUES
      ('/in/2.dcm', '1:2:3:4', 1, 0), ('/in/3.dcm', '1:2:3:5', 2, 1);
    """

  private static let ninth = """
    INSERT INTO jobs (id, series_uid, revision, model, state, attempt_count, created_at,
      scheduled_at, finished_at, is_forced, fingerprint, model_sha256, result_series_uid,
      replaced_study, replaced_series) VALUES
      (90, '1.2.1', 1, 'liver', 'completed', 1, 90.0, 90.0, 91.0, 0, '\(hash("1"))', '\(hash("2"))',
        '2.25.901', NULL, NULL),
      (91, '1.2.1', 1, 'liver', 'completed', 1, 92.0, 92.0, 93.0, 0, '\(hash("1"))', '\(hash("2"))',
        '2.25.901', NULL, NULL),
      (92, '1.2.2', 1, 'stack', 'completed', 1, 94.0, 94.0, 95.0, 1, '\(hash("3"))', '\(hash("2"))',
        '2.25.902', '1.2', '2.25.401');
    INSERT INTO attempts (job_id, number, started_at, finished_at, outcome) VALUES
      (90, 1, 90.0, 91.0, 'completed'), (91, 1, 92.0, 93.0, 'completed'),
      (92, 1, 94.0, 95.0, 'completed');
    INSERT INTO results (job_id, model_version, summary, created_at, study_uid, superseded_by, same_as)
      VALUES (90, '1.0', 'x', 91.0, '1.2', NULL, NULL), (91, '1.0', 'x', 93.0, '1.2', NULL, 90),
      (92, '1.0', 'x', 95.0, '1.2', NULL, NULL);
    UPDATE results SET superseded_by = 92 WHERE job_id = 40;
    INSERT INTO result_objects VALUES
      (90, 1, 'seg', '2.25.903', 'results/90/segmentation.dcm', '\(hash("7"))'),
      (92, 1, 'seg', '2.25.904', 'results/92/segmentation.dcm', '\(hash("8"))');
    """

  private static let tenth = """
    UPDATE attempts SET seconds = '{"total":1.5}', predicted_memory = 1000, peak_memory = 900
      WHERE job_id = 92;
    """

  private static let eleventh = """
    INSERT INTO jobs (id, series_uid, revision, model, state, attempt_count, created_at,
      scheduled_at, finished_at, reason, priority, forgiven_attempts, is_held_by_person) VALUES
      (110, '1.2.1', 1, 'tumor', 'held', 3, 110.0, 110.0, 111.0, 'held by an administrator', 10, 3, 1),
      (111, '1.2.1', 1, 'tumor', 'available', 0, 112.0, 112.0, NULL, NULL, 10, 0, 0);
    UPDATE series SET released_at = 112.0 WHERE series_uid = '1.2.1';
    INSERT INTO deliveries (job_id, destination, state, attempt_count, scheduled_at, last_failure,
      last_error) VALUES (90, 'pacs', 'held', 2, 110.0, 'refused', '0xC000: no');
    """

  private static let twelfth = """
    UPDATE processing SET mode = 'draining', changed_at = 120.0, changed_by = 'root', reason = 'x',
      drained_at = 121.0;
    """

  private static let fourteenth = "UPDATE instances SET lost_at = 140.0 WHERE id = 5;"

  private static let fifteenth = "INSERT INTO clock_steps VALUES (145.0, 3600.0), (146.0, 0.0);"

  private static let sixteenth = """
    INSERT INTO attempts (job_id, number, started_at, finished_at, outcome, message) VALUES
      (111, 1, 150.0, 151.0, 'preempted', 'for job 112');
    UPDATE jobs SET attempt_count = 1 WHERE id = 111;
    """

  private static let seventeenth = """
    INSERT INTO deliveries (id, job_id, destination, state, attempt_count, scheduled_at, sent_at,
      proof_count) VALUES (170, 92, 'archive', 'sent', 1, 171.0, 170.0, 2);
    INSERT INTO delivery_objects (delivery_id, sop_uid, answered_at, status, arrived_at, taken_count)
      VALUES (170, '2.25.904', 170.0, 0, 170.0, 1);
    INSERT INTO commitment_transactions (transaction_uid, delivery_id, requested_at) VALUES
      ('2.25.1701', 170, 170.5);
    """

  private static let eighteenth = """
    INSERT INTO jobs (id, series_uid, revision, model, state, created_at, scheduled_at, finished_at,
      reason, volume, volume_cause) VALUES
      (180, '1.2.1', 1, 'liver', 'cancelled', 180.0, 180.0, 181.0, 'x', 'EchoTime=20', 'rule'),
      (181, '1.2.1', 1, 'liver', 'cancelled', 182.0, 182.0, 183.0, 'x', 'EchoTime=80', 'person');
    INSERT INTO job_alternatives VALUES (181, 0, '1.2.2', 1);
    """

  private static let nineteenth = """
    UPDATE instances SET purged_at = 180.0 WHERE id = 20;
    UPDATE series SET purged_at = 180.0 WHERE series_uid = '1.2.2';
    UPDATE results SET purged_at = 181.0 WHERE job_id = 20;
    INSERT INTO purge_files VALUES ('spool/00/03/20.dcm'), ('results/20');
    """

  private static let twentyFirst = """
    INSERT INTO result_objects VALUES
      (92, 2, 'labelmap', '2.25.905', 'results/92/labelmap.dcm', '\(hash("9"))');
    INSERT INTO deliveries (id, job_id, destination, state, attempt_count, scheduled_at, sent_at,
      delivered_at) VALUES (210, 92, 'pacs', 'delivered', 1, 210.0, 210.0, 210.0);
    INSERT INTO delivery_objects (delivery_id, sop_uid, answered_at, status, note, arrived_at,
      taken_count, declined_at) VALUES
      (210, '2.25.904', 210.0, 0, NULL, 210.0, 1, NULL),
      (210, '2.25.905', 210.0, NULL, 'it does not take a label map', NULL, 0, 210.0);
    """

  private static let twentySecond = """
    INSERT INTO series (series_uid, study_uid, modality, revision, assembled_revision,
      last_received_at) VALUES ('1.2.4', '1.2', 'SEG', 1, 1, 220.0);
    INSERT INTO instances (id, sop_uid, series_uid, revision, sop_class_uid, transfer_syntax,
      spool_path, byte_count, content_hash, source, received_at) VALUES
      (220, '2.25.2201', '1.2.4', 1, '1.2.840.10008.5.1.4.1.1.66.4', '1.2.840.10008.1.2.1',
        'spool/00/04/220.dcm', 2000, '\(hash("9"))', 'listener', 220.0);
    INSERT INTO external_segmentations VALUES (220, 'Some Workstation 5.2', 0, NULL, 220.5);
    INSERT INTO external_segmentation_sources VALUES (220, '1.2.1');
    INSERT INTO comparisons VALUES (1, 220, 92, 'Maker Model', NULL, 221.0);
    INSERT INTO comparison_scores VALUES (1, 0, 'liver', 0.95, 2.5, 1500.0, 1480.0);
    """

  private static let twentyThird = """
    INSERT INTO notices VALUES (1, 'it', 3, 230.0), (2, 'chat', 2, NULL);
    INSERT INTO alarms VALUES ('destination', 'pacs', 230.0, 231.0), ('disk', 'state', 230.0, NULL);
    INSERT INTO audit_position VALUES (1, 4, 2, 53.0, 7);
    """

  private static let twentyFourth = """
    INSERT INTO golden_checks VALUES
      (1, 'liver', 'schedule', 240.0, 241.0, 'failed', '1.0', 'another result'),
      (2, 'liver', 'person', 242.0, NULL, NULL, NULL, NULL);
    """

  private static let twentyFifth = """
    INSERT INTO workitems VALUES
      ('2.25.2501', '2.25.2502', 'performing', 250.0, NULL, NULL),
      ('2.25.2503', '2.25.2504', 'cancelled', 250.0, 251.0, 'held');
    INSERT INTO workitem_inputs VALUES ('2.25.2501', '1.2', '1.2.1'), ('2.25.2503', '1.2', '');
    """

  private static let twentySixth = """
    INSERT INTO reprocessings VALUES (1, 260.0, '--model liver');
    INSERT INTO jobs (id, series_uid, revision, model, state, attempt_count, created_at,
      scheduled_at, finished_at, reason, reprocessing_id) VALUES
      (260, '1.2.1', 1, 'liver', 'cancelled', 1, 260.0, 260.0, 262.0, 'x', 1);
    INSERT INTO attempts (job_id, number, started_at, finished_at, outcome, message, place) VALUES
      (260, 1, 261.0, 262.0, 'cancelled', 'x',
        '{"cluster":"Slurm","name":"segmentd-1-260-2-1","node":"w1","state":"RUNNING"}');
    """

  private static let twentySeventh = """
    INSERT INTO listeners VALUES
      (1, 'ward-1', 'r1', 12, 'ab', 270.0, 271.0, NULL, 0, NULL),
      (2, 'ward-2', 'r2', 3, 'cd', 270.0, 271.0, 271.0, 2, 270.5);
    INSERT INTO awaited_series VALUES ('1.2.3', 2);
    INSERT INTO associations (id, key, calling_ae, called_ae, peer_address, started_at, message, stored,
      listener_id, away_since) VALUES
      (270, 'ward-2:d/0/1', 'CT1', 'SEGMENTD', '10.0.0.5', 270.0, 'at listener ward-2', 1, 2, 272.0);
    INSERT INTO association_series (association_id, series_uid, stored, refused, last_at)
      VALUES (270, '1.2.3', 1, 0, 270.5);
    """

  private static let twentyEighth = """
    INSERT INTO jobs (id, series_uid, revision, model, state, attempt_count, created_at,
      scheduled_at, finished_at, reason) VALUES
      (280, '1.2.1', 1, 'liver', 'cancelled', 1, 280.0, 280.0, 282.0, 'x');
    INSERT INTO attempts (job_id, number, started_at, finished_at, outcome, message, place, submission) VALUES
      (280, 1, 281.0, 282.0, 'cancelled', 'x',
        '{"cluster":"Slurm","name":"segmentd-1-pack-2","state":"RUNNING"}', 'segmentd-1-280-3-1');
    """
}

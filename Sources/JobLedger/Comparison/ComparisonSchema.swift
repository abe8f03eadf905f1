extension Schema {
  /// Segmentations that others made of series that we segmented, and how far they agree with ours.
  static let comparison = """
    -- Each version of a segmentation object that was received.
    CREATE TABLE external_segmentations (
      instance_id INTEGER PRIMARY KEY REFERENCES instances ON DELETE CASCADE,
      -- What made it, as it says.
      made_with   TEXT NOT NULL,
      is_ours     INTEGER NOT NULL CHECK (is_ours IN (0, 1)),
      -- Why it is compared with nothing.
      fault       TEXT,
      read_at     REAL NOT NULL
    ) STRICT;
    -- The series that it says to be of; we may not know them.
    CREATE TABLE external_segmentation_sources (
      instance_id INTEGER NOT NULL REFERENCES external_segmentations ON DELETE CASCADE,
      series_uid  TEXT NOT NULL CHECK (series_uid <> ''),
      PRIMARY KEY (instance_id, series_uid)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX external_segmentation_sources_by_series
      ON external_segmentation_sources (series_uid);

    CREATE TABLE comparisons (
      id          INTEGER PRIMARY KEY,
      instance_id INTEGER NOT NULL REFERENCES external_segmentations ON DELETE CASCADE,
      job_id      INTEGER NOT NULL REFERENCES jobs,
      -- Maker and model, of what made the images.
      scanner     TEXT NOT NULL,
      -- Why they could not be compared.
      fault       TEXT,
      compared_at REAL NOT NULL,
      UNIQUE (instance_id, job_id)
    ) STRICT;
    CREATE INDEX comparisons_by_job ON comparisons (job_id);
    CREATE TABLE comparison_scores (
      comparison_id INTEGER NOT NULL REFERENCES comparisons ON DELETE CASCADE,
      position      INTEGER NOT NULL,
      segment       TEXT NOT NULL,
      dice          REAL NOT NULL CHECK (dice BETWEEN 0 AND 1),
      -- In mm; null where one of the two is empty.
      hd95          REAL,
      -- Millilitres.
      our_volume    REAL NOT NULL,
      their_volume  REAL NOT NULL,
      PRIMARY KEY (comparison_id, position)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX instances_by_class ON instances (sop_class_uid)
      WHERE sop_class_uid = '1.2.840.10008.5.1.4.1.1.66.4';
    """
}

import Foundation
import GRDB
import Synchronization

extension Schema {
  /// Events that are chained by hashes, so that a changed or removed one is found, and their causes.
  ///
  /// Only whoever can rewrite all that follows, and what was noted of it elsewhere, leaves no trace.
  static let eventChain = """
    DROP TRIGGER events_are_not_changed;
    DROP TRIGGER events_are_not_removed;
    CREATE TABLE new_events (
      id         INTEGER PRIMARY KEY,
      at         REAL NOT NULL,
      kind       TEXT NOT NULL,
      series_uid TEXT,
      job_id     INTEGER,
      -- Null of events that an older version wrote.
      cause      TEXT CHECK (cause IN ('peer', 'rule', 'person', 'fault', 'program')),
      message    TEXT NOT NULL,
      -- SHA-256 over the hash of the event before and the columns above: EventHash.swift.
      hash       BLOB NOT NULL CHECK (length(hash) = 32)
    ) STRICT;
    INSERT INTO new_events
      SELECT id, at, kind, series_uid, job_id, NULL, message,
        chained_hash(id, at, kind, series_uid, job_id, NULL, message)
      FROM events ORDER BY id;

    -- The last event, so that those that are missing at the end are found.
    CREATE TABLE event_head (
      id       INTEGER PRIMARY KEY CHECK (id = 1),
      event_id INTEGER NOT NULL,
      hash     BLOB NOT NULL CHECK (length(hash) = 32)
    ) STRICT;
    INSERT INTO event_head
      SELECT 1, ifnull(max(id), 0),
        ifnull((SELECT hash FROM new_events ORDER BY id DESC LIMIT 1), chained_hash())
      FROM new_events;

    DROP TABLE events;
    ALTER TABLE new_events RENAME TO events;
    CREATE INDEX events_by_job ON events (job_id);
    CREATE INDEX events_by_series ON events (series_uid);

    -- The oldest events can be removed only by a row here, which says up to which one, when and why.
    CREATE TABLE event_anchors (
      event_id INTEGER PRIMARY KEY CHECK (event_id > 0),
      hash     BLOB NOT NULL CHECK (length(hash) = 32),
      at       REAL NOT NULL,
      reason   TEXT NOT NULL CHECK (reason <> '')
    ) STRICT;
    CREATE TRIGGER event_anchors_are_events BEFORE INSERT ON event_anchors
      WHEN NOT EXISTS (SELECT 1 FROM events WHERE id = NEW.event_id AND hash = NEW.hash)
      BEGIN SELECT RAISE(ABORT, 'an anchor is the last event that is removed'); END;
    CREATE TRIGGER event_anchors_remove_events AFTER INSERT ON event_anchors
      BEGIN DELETE FROM events WHERE id <= NEW.event_id; END;
    CREATE TRIGGER event_anchors_are_not_changed BEFORE UPDATE ON event_anchors
      BEGIN SELECT RAISE(ABORT, 'anchors of events are append-only'); END;
    CREATE TRIGGER event_anchors_are_not_removed BEFORE DELETE ON event_anchors
      BEGIN SELECT RAISE(ABORT, 'anchors of events are append-only'); END;

    CREATE TRIGGER events_are_in_order BEFORE INSERT ON events
      WHEN NEW.id <> (SELECT event_id + 1 FROM event_head)
      BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
    CREATE TRIGGER events_move_the_head AFTER INSERT ON events
      BEGIN UPDATE event_head SET event_id = NEW.id, hash = NEW.hash; END;
    CREATE TRIGGER events_are_not_changed BEFORE UPDATE ON events
      BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
    CREATE TRIGGER events_are_not_removed BEFORE DELETE ON events
      WHEN OLD.id > ifnull((SELECT max(event_id) FROM event_anchors), 0)
      BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
    CREATE TRIGGER event_head_is_the_last_event BEFORE UPDATE ON event_head
      WHEN NEW.event_id <> OLD.event_id + 1
        OR NOT EXISTS (SELECT 1 FROM events WHERE id = NEW.event_id AND hash = NEW.hash)
      BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
    CREATE TRIGGER event_head_is_not_removed BEFORE DELETE ON event_head
      BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
    """

  /// The hash of one event after another, for a migration: without arguments that of none.
  static func chainedHash() -> [DatabaseFunction] {
    let last = LastHash()
    return [
      DatabaseFunction("chained_hash", argumentCount: 7, pure: false) { values in
        last.hash.withLock { last in
          last = EventColumns(values).hash(after: last)
          return last
        }
      },
      DatabaseFunction("chained_hash", argumentCount: 0) { _ in EventColumns.start },
    ]
  }
}

private final class LastHash: Sendable {
  let hash = Mutex(EventColumns.start)
}

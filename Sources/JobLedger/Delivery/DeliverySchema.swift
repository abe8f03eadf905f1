extension Schema {
  /// What is known of each object on its way to a destination, and proof that it arrived.
  static let verifiedDelivery = """
    CREATE TABLE new_deliveries (
      id            INTEGER PRIMARY KEY,
      job_id        INTEGER NOT NULL REFERENCES results,
      destination   TEXT NOT NULL,
      -- sent: the destination took every object, and has not yet proved that it keeps them.
      state         TEXT NOT NULL CHECK (state IN
        ('waiting', 'sending', 'sent', 'delivered', 'superseded', 'held')),
      attempt_count INTEGER NOT NULL DEFAULT 0 CHECK (attempt_count >= 0),
      -- When it is sent, or of what was sent, when proof is asked for.
      scheduled_at  REAL NOT NULL,
      sent_at       REAL,
      delivered_at  REAL,
      -- How many times proof was asked for since it was sent.
      proof_count   INTEGER NOT NULL DEFAULT 0 CHECK (proof_count >= 0),
      -- How many answers since then lacked an object.
      missing_count INTEGER NOT NULL DEFAULT 0 CHECK (missing_count >= 0),
      last_failure  TEXT CHECK (last_failure IN ('unreachable', 'refused', 'missing')),
      last_error    TEXT,
      UNIQUE (job_id, destination),
      CHECK (state <> 'held' OR last_error IS NOT NULL),
      CHECK ((state = 'delivered') = (delivered_at IS NOT NULL))
    ) STRICT;
    INSERT INTO new_deliveries (id, job_id, destination, state, attempt_count, scheduled_at, sent_at,
        delivered_at, last_failure, last_error)
      SELECT id, job_id, destination, state, attempt_count, scheduled_at, delivered_at, delivered_at,
        last_failure, last_error FROM deliveries;
    DROP TABLE deliveries;
    ALTER TABLE new_deliveries RENAME TO deliveries;
    CREATE INDEX deliveries_due ON deliveries (scheduled_at) WHERE state = 'waiting';
    CREATE INDEX deliveries_unproved ON deliveries (scheduled_at) WHERE state = 'sent';
    CREATE TRIGGER deliveries_change_state_in_order BEFORE UPDATE OF state ON deliveries
      WHEN OLD.state <> NEW.state AND (OLD.state, NEW.state) NOT IN (VALUES
        ('waiting', 'sending'), ('waiting', 'superseded'), ('waiting', 'held'),
        ('sending', 'waiting'), ('sending', 'sent'), ('sending', 'delivered'),
        ('sending', 'superseded'), ('sending', 'held'),
        ('sent', 'delivered'), ('sent', 'waiting'), ('sent', 'superseded'), ('sent', 'held'),
        ('held', 'waiting'), ('held', 'delivered'), ('held', 'superseded'),
        ('superseded', 'waiting'))
      BEGIN SELECT RAISE(ABORT, 'a delivery cannot change its state in this way'); END;

    -- Which objects of the result the destination gets, and what it answered.
    CREATE TABLE delivery_objects (
      delivery_id INTEGER NOT NULL REFERENCES deliveries,
      sop_uid     TEXT NOT NULL CHECK (sop_uid <> ''),
      -- The last answer: the status of a C-STORE, or the reason of a Store transaction.
      answered_at REAL,
      status      INTEGER CHECK (status BETWEEN 0 AND 65535),
      note        TEXT,
      -- Null while it is to be sent.
      arrived_at  REAL,
      -- How many times the destination took it.
      taken_count INTEGER NOT NULL DEFAULT 0 CHECK (taken_count >= 0),
      proved_at   REAL,
      proof       TEXT CHECK (proof IN ('commitment', 'query')),
      PRIMARY KEY (delivery_id, sop_uid),
      CHECK ((proved_at IS NULL) = (proof IS NULL)),
      CHECK (proved_at IS NULL OR arrived_at IS NOT NULL)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO delivery_objects (delivery_id, sop_uid, arrived_at)
      SELECT deliveries.id, sop_uid, delivered_at
      FROM deliveries JOIN result_objects USING (job_id) WHERE sop_uid IS NOT NULL;
    CREATE TRIGGER deliveries_arrive_whole BEFORE UPDATE OF state ON deliveries
      WHEN NEW.state IN ('sent', 'delivered') AND EXISTS (SELECT 1 FROM delivery_objects
        WHERE delivery_id = NEW.id AND arrived_at IS NULL)
      BEGIN SELECT RAISE(ABORT, 'an object of the delivery has not arrived'); END;

    -- Our requests for storage commitment (PS3.4 J); of a delivery the last one counts for what is
    -- said to be missing.
    CREATE TABLE commitment_transactions (
      id              INTEGER PRIMARY KEY,
      transaction_uid TEXT NOT NULL UNIQUE CHECK (transaction_uid <> ''),
      delivery_id     INTEGER NOT NULL REFERENCES deliveries,
      requested_at    REAL NOT NULL,
      reported_at     REAL
    ) STRICT;
    CREATE INDEX commitment_transactions_by_delivery ON commitment_transactions (delivery_id);
    """

  /// Objects that a destination does without, because it does not take their SOP class.
  static let declinedObjects = """
    -- When the destination did not take the SOP class of an optional object; null where it does, and once
    -- the object is to be sent again.
    ALTER TABLE delivery_objects ADD COLUMN declined_at REAL
      CHECK (declined_at IS NULL OR arrived_at IS NULL);
    DROP TRIGGER deliveries_arrive_whole;
    CREATE TRIGGER deliveries_arrive_whole BEFORE UPDATE OF state ON deliveries
      WHEN NEW.state IN ('sent', 'delivered') AND EXISTS (SELECT 1 FROM delivery_objects
        WHERE delivery_id = NEW.id AND arrived_at IS NULL AND declined_at IS NULL)
      BEGIN SELECT RAISE(ABORT, 'an object of the delivery has not arrived'); END;
    CREATE TRIGGER deliveries_bring_something BEFORE UPDATE OF state ON deliveries
      WHEN NEW.state IN ('sent', 'delivered')
        AND EXISTS (SELECT 1 FROM delivery_objects WHERE delivery_id = NEW.id)
        AND NOT EXISTS (SELECT 1 FROM delivery_objects
          WHERE delivery_id = NEW.id AND arrived_at IS NOT NULL)
      BEGIN SELECT RAISE(ABORT, 'no object of the delivery has arrived'); END;
    -- What was declined may be tried again after the rest was delivered.
    DROP TRIGGER deliveries_change_state_in_order;
    CREATE TRIGGER deliveries_change_state_in_order BEFORE UPDATE OF state ON deliveries
      WHEN OLD.state <> NEW.state AND (OLD.state, NEW.state) NOT IN (VALUES
        ('waiting', 'sending'), ('waiting', 'superseded'), ('waiting', 'held'),
        ('sending', 'waiting'), ('sending', 'sent'), ('sending', 'delivered'),
        ('sending', 'superseded'), ('sending', 'held'),
        ('sent', 'delivered'), ('sent', 'waiting'), ('sent', 'superseded'), ('sent', 'held'),
        ('held', 'waiting'), ('held', 'delivered'), ('held', 'superseded'),
        ('superseded', 'waiting'))
        AND NOT (OLD.state = 'delivered' AND NEW.state = 'waiting' AND EXISTS (SELECT 1
          FROM delivery_objects WHERE delivery_id = NEW.id AND declined_at IS NOT NULL))
      BEGIN SELECT RAISE(ABORT, 'a delivery cannot change its state in this way'); END;
    """
}

extension Schema {
  /// What the story of a study tells besides: how long each attempt's stages took, and its memory.
  static let story = """
    -- Of a finished attempt that computed: seconds of each stage as JSON, and bytes of memory as
    -- predicted and as the process had them at its peak.
    ALTER TABLE attempts ADD COLUMN seconds TEXT;
    ALTER TABLE attempts ADD COLUMN predicted_memory INTEGER CHECK (predicted_memory >= 0);
    ALTER TABLE attempts ADD COLUMN peak_memory INTEGER CHECK (peak_memory >= 0);

    CREATE INDEX events_by_series ON events (series_uid);
    CREATE INDEX commitment_references_by_sop ON commitment_references (sop_uid);
    """
}

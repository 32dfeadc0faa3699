-- Claims whose figure joins several measurements, and what was measured in the place of the claimed weights.
ALTER TABLE model ADD COLUMN weights_formats TEXT;  -- how the stored numbers are written: "Q4_1 210, F32 61", tensors of each; NULL: not known
ALTER TABLE claim ADD COLUMN weights_format TEXT;   -- of the weights that the claim speaks of; NULL: not said
ALTER TABLE verdict ADD COLUMN fork TEXT;           -- how the measured weights differ from the claimed ones; NULL: not at all, or not known
ALTER TABLE verdict ADD COLUMN unknown_json TEXT;   -- what the source leaves unsaid: a JSON array of texts; NULL: nothing is listed
-- One summand of a verdict's figure. Figures in the claim's scale.
CREATE TABLE verdict_part (
  verdict_id INTEGER NOT NULL REFERENCES verdict (id) ON DELETE CASCADE,
  ordinal INTEGER NOT NULL,
  suite_name TEXT NOT NULL, protocol_name TEXT NOT NULL, metric TEXT NOT NULL,
  subset TEXT NOT NULL,          -- "": all of the suite
  weight REAL NOT NULL,          -- its share of the whole
  run_id INTEGER REFERENCES run (id),
  against_run_id INTEGER REFERENCES run (id),
  measured REAL,                 -- NULL: not measured
  se_population REAL,            -- of the part alone
  n INTEGER,
  of_items INTEGER,              -- items from which n were drawn; NULL: all were asked
  missing TEXT,                  -- why it was not measured
  PRIMARY KEY (verdict_id, ordinal)
) STRICT, WITHOUT ROWID;

-- What a resumed run holds its digests against, one by one, so that a refusal can name what changed: {part: digest}. NULL in runs of an older version.
ALTER TABLE run ADD COLUMN identity_json TEXT;
-- Of a run through a completion server: what the server says of itself and can do (likelihood, ids, ...), as found when the run began.
ALTER TABLE run ADD COLUMN server_json TEXT;

ALTER TABLE sample ADD COLUMN seed INTEGER;       -- that a server was given for this sample; NULL: drawn here, from (run.seed, item, sample)
ALTER TABLE sample ADD COLUMN score REAL;         -- of the output alone: 0 or 1, F1 ...
ALTER TABLE sample ADD COLUMN input_cut INTEGER CHECK (input_cut IN (0, 1));  -- its prompt was cut; NULL: not known
ALTER TABLE continuation ADD COLUMN unconditional_nats REAL;  -- log-likelihood after the protocol's context without the question

-- Samples of items that do not have all of theirs yet. They become rows of `sample` together with the item's result; a complete run has none here.
CREATE TABLE sample_waiting (
  run_id INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
  item_id INTEGER NOT NULL REFERENCES item (id),
  sample_index INTEGER NOT NULL,
  output TEXT NOT NULL,
  finish_reason TEXT,
  tokens_generated INTEGER,
  seed INTEGER,
  router_ties INTEGER,
  prompt_digest TEXT, ids_digest TEXT, prompt TEXT,
  input_cut INTEGER NOT NULL CHECK (input_cut IN (0, 1)),
  PRIMARY KEY (run_id, item_id, sample_index)
) STRICT, WITHOUT ROWID;

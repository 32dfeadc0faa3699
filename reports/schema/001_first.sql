-- Digests are SHA-256 in lower-case hexadecimal. Units are in the column names. Times are UTC, ISO 8601.
-- A NULL says "not known" or "does not apply"; nothing is ever stored as 0 to mean that.

-- Anything with a digest: weights, configuration, tokenizer, template, suite items, stored outputs, claims files.
CREATE TABLE artifact (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,            -- weights config tokenizer template suite protocol outputs claims prices
  name TEXT NOT NULL,            -- file or folder name, never a path
  digest TEXT NOT NULL,
  size_bytes INTEGER,
  UNIQUE (kind, digest, name)
) STRICT;

-- A model as one loaded it, or only its name where stored outputs of others are replayed.
CREATE TABLE model (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  family TEXT,                   -- model_type of config.json
  architecture TEXT,
  weights_artifact_id INTEGER REFERENCES artifact (id),
  config_artifact_id INTEGER REFERENCES artifact (id),
  tokenizer_artifact_id INTEGER REFERENCES artifact (id),
  template_artifact_id INTEGER REFERENCES artifact (id),
  params_stored INTEGER,         -- numbers in the files, block scales not counted
  params_total INTEGER,          -- without multi-token-prediction blocks
  params_active INTEGER,         -- per token, embedding and head included
  context_length_tokens INTEGER,
  conventions_json TEXT,         -- {name: value}: what was chosen where the world disagrees
  identity TEXT NOT NULL UNIQUE  -- digest over name and the digests above
) STRICT;

CREATE TABLE tensor (
  id INTEGER PRIMARY KEY,
  model_id INTEGER NOT NULL REFERENCES model (id),
  name TEXT NOT NULL,
  format TEXT NOT NULL,          -- BF16 F32 F8_E4M3 ...
  shape_json TEXT NOT NULL,
  size_bytes INTEGER NOT NULL,
  UNIQUE (model_id, name)
) STRICT;

CREATE TABLE tensor_stat (
  tensor_id INTEGER PRIMARY KEY REFERENCES tensor (id),
  absmax REAL, mean REAL, std REAL,
  nan_count INTEGER NOT NULL,
  digest TEXT NOT NULL           -- of the dequantised values as little-endian f32
) STRICT;

CREATE TABLE suite (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,            -- world-mc, gsm8k ...
  title TEXT NOT NULL,
  source TEXT NOT NULL,
  licence TEXT NOT NULL,
  items_digest TEXT NOT NULL,
  n_items INTEGER NOT NULL,
  UNIQUE (name, items_digest)
) STRICT;

CREATE TABLE protocol (
  id INTEGER PRIMARY KEY,
  suite_id INTEGER NOT NULL REFERENCES suite (id),
  name TEXT NOT NULL,            -- text-0shot, cot-3shot ...
  definition_json TEXT NOT NULL, -- template, few-shot ids, separators, stops, limit, extractor chain, aggregation
  digest TEXT NOT NULL,
  main_metric TEXT NOT NULL,
  UNIQUE (suite_id, name, digest)
) STRICT;

CREATE TABLE item (
  id INTEGER PRIMARY KEY,
  suite_id INTEGER NOT NULL REFERENCES suite (id),
  key TEXT NOT NULL,             -- the item's id in the suite
  ordinal INTEGER NOT NULL,      -- place in the suite's file, from 0
  subset TEXT NOT NULL,          -- "" where the suite has no sub-tasks
  cluster TEXT NOT NULL,         -- items that share a stem; "" where they do not
  question TEXT NOT NULL,
  gold TEXT NOT NULL,            -- the expected answer as text; for a choice the index
  digest TEXT NOT NULL,
  UNIQUE (suite_id, key)
) STRICT;

CREATE TABLE device (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,            -- processor or GPU model
  kind TEXT NOT NULL,            -- cpu gpu
  cores INTEGER,
  memory_bytes INTEGER,
  isa TEXT,                      -- best kernel set: scalar avx2 avx512; sm_90 ...
  UNIQUE (name, kind, cores, memory_bytes, isa)
) STRICT;

CREATE TABLE price (
  id INTEGER PRIMARY KEY,
  device TEXT NOT NULL,
  usd_per_hour REAL NOT NULL,
  unit TEXT NOT NULL,            -- gpu-hour, machine-hour
  as_of TEXT NOT NULL,           -- date
  source TEXT NOT NULL,
  UNIQUE (device, usd_per_hour, unit, as_of, source)
) STRICT;

-- One pass of a suite under a protocol over a model, or one re-scoring of stored outputs.
CREATE TABLE run (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL CHECK (kind IN ('run', 'replay')),
  model_id INTEGER NOT NULL REFERENCES model (id),
  suite_id INTEGER NOT NULL REFERENCES suite (id),
  protocol_id INTEGER NOT NULL REFERENCES protocol (id),
  outputs_artifact_id INTEGER REFERENCES artifact (id),  -- the replayed file
  identity TEXT NOT NULL,        -- digest over weights, tokenizer, suite, protocol, sampling, recipe, subset: what a resume must find unchanged
  recipe TEXT,                   -- dequantisation and arithmetic: dequant-f32, oracle-f64 ...
  kernel_set TEXT,               -- scalar avx2 avx512 cuda
  backend TEXT,                  -- cpu cuda http
  sampling_json TEXT,
  seed INTEGER,
  limit_items INTEGER,           -- --limit, NULL: all
  status TEXT NOT NULL CHECK (status IN ('running', 'complete', 'interrupted')),
  started_at_utc TEXT NOT NULL,
  finished_at_utc TEXT,
  wall_seconds REAL,
  tokens_asked INTEGER, tokens_computed INTEGER, tokens_generated INTEGER,
  device_id INTEGER REFERENCES device (id),
  threads INTEGER,
  price_id INTEGER REFERENCES price (id),
  cost_usd REAL,                 -- wall_seconds at the price; NULL without a price
  items_expected INTEGER NOT NULL, items_seen INTEGER NOT NULL DEFAULT 0,
  malformed INTEGER NOT NULL DEFAULT 0, duplicated INTEGER NOT NULL DEFAULT 0, truncated INTEGER NOT NULL DEFAULT 0,
  unextractable INTEGER NOT NULL DEFAULT 0, fallback INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX run_by_identity ON run (identity);

-- The score of one item in one run. Log-likelihood suites give one row an item; n samples of a generation are in `sample`.
CREATE TABLE item_result (
  id INTEGER PRIMARY KEY,
  run_id INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
  item_id INTEGER NOT NULL REFERENCES item (id),
  correct INTEGER CHECK (correct IN (0, 1)),  -- NULL: cannot be judged (no gold, harness fault) or not a right-or-wrong score
  score REAL,                    -- the item's value in its main metric: 0/1, bits per byte, F1 ...
  extracted TEXT,                -- what the extractor found; NULL: nothing
  extractor TEXT,                -- the link of the chain that found it
  why TEXT NOT NULL,             -- one clause: why it counts as right, wrong or not judged
  chosen INTEGER,                -- option taken, multiple choice
  prompt_digest TEXT,            -- rendered prompt text
  ids_digest TEXT,               -- its token ids
  prompt TEXT,                   -- rendered prompt (kept for people; the digest identifies it)
  margin REAL,                   -- distance of the decision: best minus second-best score; NULL where none was taken
  router_ties INTEGER,           -- router decisions closer than 1e-5 in this item's tokens
  UNIQUE (run_id, item_id)
) STRICT;

CREATE TABLE sample (
  id INTEGER PRIMARY KEY,
  item_result_id INTEGER NOT NULL REFERENCES item_result (id) ON DELETE CASCADE,
  sample_index INTEGER NOT NULL,
  output TEXT NOT NULL,
  finish_reason TEXT,            -- stop length eos
  tokens_generated INTEGER,
  correct INTEGER CHECK (correct IN (0, 1)),
  extracted TEXT,
  UNIQUE (item_result_id, sample_index)
) STRICT;

-- One scored continuation: an option of a multiple-choice item, or a whole text (option 0).
CREATE TABLE continuation (
  id INTEGER PRIMARY KEY,
  item_result_id INTEGER NOT NULL REFERENCES item_result (id) ON DELETE CASCADE,
  option_index INTEGER NOT NULL,
  text TEXT NOT NULL,
  logprob_nats REAL NOT NULL,    -- sum over its tokens
  greedy INTEGER NOT NULL CHECK (greedy IN (0, 1)),
  tokens INTEGER NOT NULL, chars INTEGER NOT NULL, bytes INTEGER NOT NULL,
  truncated_tokens INTEGER NOT NULL DEFAULT 0,
  UNIQUE (item_result_id, option_index)
) STRICT;

CREATE TABLE token_logprob (
  continuation_id INTEGER NOT NULL REFERENCES continuation (id) ON DELETE CASCADE,
  position INTEGER NOT NULL,     -- within the continuation, from 0
  token_id INTEGER NOT NULL,
  token_text TEXT NOT NULL,      -- the viewer has no tokenizer
  logprob_nats REAL NOT NULL,
  PRIMARY KEY (continuation_id, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE router_stat (
  run_id INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
  layer INTEGER NOT NULL, expert INTEGER NOT NULL,
  tokens INTEGER NOT NULL,       -- tokens routed to it
  PRIMARY KEY (run_id, layer, expert)
) STRICT, WITHOUT ROWID;

-- A published figure.
CREATE TABLE claim (
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL UNIQUE,      -- the claim's id in its ledger
  text TEXT NOT NULL,
  claimant TEXT,
  model_name TEXT NOT NULL,
  suite_name TEXT, protocol_name TEXT, metric TEXT, subset TEXT,
  relation TEXT NOT NULL CHECK (relation IN ('equals', 'at-least', 'within')),
  published TEXT NOT NULL,       -- as printed: its digits are its precision
  value REAL NOT NULL,           -- the number, in `scale` units
  scale REAL NOT NULL,           -- 100: percent; 1: fraction, bits per byte, count
  n INTEGER, samples INTEGER,    -- as claimed; NULL: not said
  against TEXT,                  -- the other protocol or model that the claim compares with
  source TEXT,                   -- repo@commit:path#line, or a citation
  expected_verdict TEXT,         -- bundled ledger only: what is due
  definition_json TEXT NOT NULL  -- the claim as it was read
) STRICT;

CREATE TABLE verdict (
  id INTEGER PRIMARY KEY,
  claim_id INTEGER NOT NULL REFERENCES claim (id),
  verdict TEXT NOT NULL CHECK (verdict IN ('reproduced', 'contradicted', 'undecided', 'protocol-mismatch', 'impossible')),
  run_id INTEGER REFERENCES run (id),          -- what was measured
  against_run_id INTEGER REFERENCES run (id),  -- the other side of a paired claim
  holds_under_run_id INTEGER REFERENCES run (id),  -- protocol-mismatch: the run that does give the figure
  published REAL NOT NULL, measured REAL,      -- in the claim's scale
  n INTEGER,
  test TEXT NOT NULL,            -- binomial-exact, mcnemar-exact, tost, ratio, count ...
  p REAL, p_adjusted REAL,
  margin REAL, margin_origin TEXT,
  level REAL NOT NULL,
  fixed_low REAL, fixed_high REAL,             -- interval on these very items
  population_low REAL, population_high REAL,   -- interval on the population of such items
  speaks_of TEXT NOT NULL CHECK (speaks_of IN ('items', 'population', 'weights')),
  reason TEXT NOT NULL,          -- one sentence
  hangs_on TEXT, next TEXT,
  decided_at_utc TEXT NOT NULL
) STRICT;

-- Two runs on the same items.
CREATE TABLE comparison (
  id INTEGER PRIMARY KEY,
  run_a_id INTEGER NOT NULL REFERENCES run (id), run_b_id INTEGER NOT NULL REFERENCES run (id),
  n INTEGER NOT NULL,
  delta REAL NOT NULL,           -- mean of b minus a
  gained INTEGER, lost INTEGER,  -- wrong to right, right to wrong
  test TEXT NOT NULL, p REAL, low REAL, high REAL, level REAL NOT NULL
) STRICT;

-- Outputs or weights of two models held against each other.
CREATE TABLE similarity (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL CHECK (kind IN ('outputs', 'weights')),
  a TEXT NOT NULL, b TEXT NOT NULL,
  test TEXT NOT NULL,
  statistic REAL, effect REAL, low REAL, high REAL,
  p REAL, p_adjusted REAL, p_min REAL,         -- p_min: the smallest p that this panel can give
  n INTEGER NOT NULL,
  panel TEXT,                    -- what the null was drawn from; NULL: no panel, verdict INCONCLUSIVE
  verdict TEXT NOT NULL,
  does_not_show TEXT NOT NULL
) STRICT;

-- One tensor of a comparison of weights.
CREATE TABLE tensor_similarity (
  similarity_id INTEGER NOT NULL REFERENCES similarity (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  status TEXT NOT NULL,          -- identical requantised changed unrelated only-a only-b shape-differs
  rel_error REAL, cosine REAL, max_abs REAL,
  PRIMARY KEY (similarity_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE kernel_measurement (
  id INTEGER PRIMARY KEY,
  device_id INTEGER NOT NULL REFERENCES device (id),
  kernel TEXT NOT NULL, shape TEXT NOT NULL, isa TEXT NOT NULL,
  what_for TEXT NOT NULL,        -- the model whose shape it is, or "machine"
  threads INTEGER NOT NULL,
  seconds_p50 REAL NOT NULL, spread REAL NOT NULL,  -- spread: (p90 - p10) / p50
  repetitions INTEGER NOT NULL,
  flops INTEGER NOT NULL, bytes INTEGER NOT NULL,   -- of one call
  fraction_of_limit REAL, limit_name TEXT,
  measured_at_utc TEXT NOT NULL
) STRICT;

-- A bill recomputed or estimated, line by line.
CREATE TABLE cost_estimate (
  id INTEGER PRIMARY KEY,
  subject TEXT NOT NULL,         -- model or run
  stage TEXT NOT NULL,           -- pre-training, context-extension, post-training, total, evaluation
  hours REAL, cost_usd REAL, low_usd REAL, high_usd REAL,
  level TEXT NOT NULL,           -- how it was obtained: stated, arithmetic, measured-kernels, rule-of-thumb
  price_id INTEGER REFERENCES price (id),
  uses_measurements INTEGER NOT NULL CHECK (uses_measurements IN (0, 1)),  -- 1: not part of the canonical export
  verdict TEXT, reason TEXT
) STRICT;

CREATE TABLE cost_line (
  cost_estimate_id INTEGER NOT NULL REFERENCES cost_estimate (id) ON DELETE CASCADE,
  ordinal INTEGER NOT NULL,
  step TEXT NOT NULL, value REAL, unit TEXT NOT NULL, source TEXT NOT NULL,
  PRIMARY KEY (cost_estimate_id, ordinal)
) STRICT, WITHOUT ROWID;

CREATE TABLE event (
  id INTEGER PRIMARY KEY,
  at_utc TEXT NOT NULL,
  run_id INTEGER REFERENCES run (id) ON DELETE CASCADE,
  kind TEXT NOT NULL,            -- started resumed interrupted complete warning
  message TEXT NOT NULL
) STRICT;

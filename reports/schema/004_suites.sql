-- What makes a prompt, item by item, and whose files the items came from. NULL in rows of an older version.
ALTER TABLE item_result ADD COLUMN shown_examples TEXT;   -- ids of the solved examples in the order shown, a JSON array
ALTER TABLE item_result ADD COLUMN option_order TEXT;     -- "2 0 3 1": the options as the prompt showed them, counted as in the file; NULL: as there
ALTER TABLE protocol ADD COLUMN template_digest TEXT;     -- sha256 of the texts that make a prompt
CREATE TABLE suite_source (  -- files of others' items and examples that `assay suite add` has read
  suite_name TEXT NOT NULL,
  source TEXT NOT NULL,              -- items, examples, or a split's name
  file TEXT NOT NULL,                -- inside the data folder
  sha256 TEXT NOT NULL,              -- of the plain text; of names and texts where there are several
  item_count INTEGER NOT NULL,
  pinned INTEGER NOT NULL,           -- 1: the definition knows the digest; 0: it is registered here
  added_at_utc TEXT NOT NULL,
  PRIMARY KEY (suite_name, source, file)
) STRICT;

-- What `assay resume` opens again. NULL in runs of an older version, which cannot be resumed.
ALTER TABLE run ADD COLUMN model_source TEXT;  -- MODEL as it was given
ALTER TABLE run ADD COLUMN data_source TEXT;   -- --data as it was given

-- What the published record knows about a figure.
ALTER TABLE claim ADD COLUMN kind TEXT;              -- self peer third_party citation: who measured it
ALTER TABLE claim ADD COLUMN dependence TEXT;        -- independent quoted unknown
ALTER TABLE claim ADD COLUMN protocol_printed TEXT;  -- the protocol in the source's words
ALTER TABLE claim ADD COLUMN source_digest TEXT;     -- of the quoted row
-- What `next` says as numbers; NULL: nothing, or not measured.
ALTER TABLE verdict ADD COLUMN next_items INTEGER;
ALTER TABLE verdict ADD COLUMN next_samples INTEGER;  -- answers to each question
ALTER TABLE verdict ADD COLUMN next_seconds REAL;
ALTER TABLE verdict ADD COLUMN next_usd REAL;

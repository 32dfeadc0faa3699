-- Outputs about which the harness could find out nothing: no sandbox for programs, a machine without time for them. They are no score.
ALTER TABLE run ADD COLUMN harness_faults INTEGER NOT NULL DEFAULT 0 CHECK (harness_faults >= 0);

-- What the machine did while a kernel was measured.
ALTER TABLE kernel_measurement ADD COLUMN clock_mhz REAL;       -- of the fastest processor right after it, as the system tells it; a virtual machine often tells a constant; NULL: not told
ALTER TABLE kernel_measurement ADD COLUMN steal_fraction REAL;  -- of processor time meanwhile, given to others by the hypervisor; NULL: measured before this was kept

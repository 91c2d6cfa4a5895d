-- Whether, by what its author had seen, somebody out of the room held the key an entry is sealed under. It is settled
-- when the entry is taken in; of what came before this column nobody knows, and it counts as not.
ALTER TABLE data ADD COLUMN sealed_unfit INTEGER NOT NULL DEFAULT 0;

-- The store from nothing. Whole numbers that come from others (place in a chain, sort time) may be any 64-bit
-- number: they are kept less 2^63, which keeps their order in SQLite's signed numbers.

-- Rooms and writing sessions have short numbers here, so that indexes stay small.
CREATE TABLE room (
    num INTEGER PRIMARY KEY,
    id  BLOB NOT NULL UNIQUE
) STRICT;

CREATE TABLE origin (
    num  INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

-- Control entries in the order written.
CREATE TABLE control (
    ord   INTEGER PRIMARY KEY,
    room  INTEGER NOT NULL,
    id    BLOB NOT NULL,
    bytes BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX control_by_id ON control (room, id);

CREATE TABLE room_key (
    room INTEGER NOT NULL,
    id   BLOB NOT NULL,
    key  BLOB NOT NULL,
    PRIMARY KEY (room, id)
) STRICT, WITHOUT ROWID;

-- Data entries without their bytes, so that whoever looks for entries does not read bodies.
-- standing: 0 waiting, 1 arrived, 2 consumed, 3 unopenable.
CREATE TABLE data (
    num      INTEGER PRIMARY KEY,
    room     INTEGER NOT NULL,
    id       BLOB NOT NULL,
    chain    BLOB NOT NULL,
    seq      INTEGER NOT NULL,
    key      BLOB NOT NULL,
    sort_ms  INTEGER NOT NULL,
    standing INTEGER NOT NULL,
    arrival  INTEGER,
    history  INTEGER NOT NULL,
    origin   INTEGER
) STRICT;
CREATE UNIQUE INDEX data_by_id ON data (room, id);
CREATE INDEX data_by_place ON data (room, chain, seq, id);
CREATE UNIQUE INDEX data_by_arrival ON data (room, arrival) WHERE arrival IS NOT NULL;
CREATE INDEX data_by_arrival_not_history ON data (room, arrival) WHERE arrival IS NOT NULL AND history = 0;
CREATE INDEX data_by_sort ON data (room, sort_ms, id) WHERE standing = 1;
CREATE INDEX data_waiting_by_key ON data (room, key, chain, seq, id) WHERE standing = 0;
CREATE INDEX data_waiting_by_chain ON data (room, chain, seq, id) WHERE standing = 0;

CREATE TABLE body (
    num   INTEGER PRIMARY KEY,
    bytes BLOB NOT NULL
) STRICT;

-- How many entries arrived, by ranges of arrival numbers: level 1 in steps of 64, level 2 in steps of 4096.
-- Counting adds these up instead of looking at each entry. Origin 0 stands for all entries, whoever wrote them.
CREATE TABLE tally (
    room    INTEGER NOT NULL,
    origin  INTEGER NOT NULL,
    history INTEGER NOT NULL,
    level   INTEGER NOT NULL,
    step    INTEGER NOT NULL,
    n       INTEGER NOT NULL,
    PRIMARY KEY (room, origin, history, level, step)
) STRICT, WITHOUT ROWID;

-- Small records; `tab` is the place of their table in the program's list.
CREATE TABLE record (
    tab   INTEGER NOT NULL,
    key   BLOB NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (tab, key)
) STRICT, WITHOUT ROWID;

-- Requests that were done, in the order they were first written.
CREATE TABLE request (
    num   INTEGER PRIMARY KEY,
    key   BLOB NOT NULL UNIQUE,
    value BLOB NOT NULL
) STRICT;

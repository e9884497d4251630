-- Version 1: records with their seals, entries with what search needs of them, and each commons' sums.
-- Keys, commons and seals are numbers here (32 to 200 bytes once, not in every row).

CREATE TABLE commons(
  c INTEGER PRIMARY KEY AUTOINCREMENT,  -- never used twice: it names the commons' full-text table
  id BLOB NOT NULL UNIQUE,
  followed INT NOT NULL,
  state BLOB                            -- sums of its sets and views; NULL: nothing here yet
);

CREATE TABLE author(a INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE);

CREATE TABLE seal(
  s INTEGER PRIMARY KEY,
  commons INT NOT NULL,
  author INT NOT NULL,
  size INT NOT NULL,
  root BLOB NOT NULL,
  signature BLOB NOT NULL
);
CREATE INDEX seal_root ON seal(root);
CREATE INDEX seal_commons ON seal(commons);

-- Hashes that stand for the leaves of a seal's tree that are not kept here: none where all are.
CREATE TABLE node(
  seal INT NOT NULL,
  start INT NOT NULL,
  stop INT NOT NULL,
  hash BLOB NOT NULL,
  PRIMARY KEY(seal, start, stop)
) WITHOUT ROWID;

CREATE TABLE record(
  n INTEGER PRIMARY KEY,
  id BLOB NOT NULL,
  commons INT NOT NULL,
  plane INT NOT NULL,
  author INT NOT NULL,
  time INT NOT NULL,
  subject BLOB NOT NULL,
  seal INT NOT NULL,
  leaf INT NOT NULL,
  salt BLOB,                            -- salt and body are NULL where an erasure took them, or they were lost
  header BLOB NOT NULL,
  body BLOB
);
CREATE UNIQUE INDEX record_id ON record(id);
CREATE INDEX record_subject ON record(subject);
CREATE INDEX record_time ON record(commons, plane, time, id);
CREATE INDEX record_seal ON record(seal, leaf);

-- The last record of each author's chain; time -1: one was taken away, look for it among the records.
CREATE TABLE latest(
  commons INT NOT NULL,
  plane INT NOT NULL,
  author INT NOT NULL,
  time INT NOT NULL,
  id BLOB NOT NULL,
  PRIMARY KEY(commons, plane, author)
) WITHOUT ROWID;

-- An entry gets a new number each time it is written: the numbers are the log of changes, in order of arrival,
-- and the rows of the full-text tables.
CREATE TABLE entry(
  n INTEGER PRIMARY KEY,
  commons INT NOT NULL,
  subject BLOB NOT NULL,
  record BLOB,                          -- where view is NULL: the one record whose fold it is
  digest BLOB NOT NULL,
  place BLOB,                           -- sort keys and position (store.facets.PLACE); NULL: not shown
  facets BLOB,                          -- u32 little-endian numbers of facet values
  title TEXT,                           -- folded, for order by title
  view BLOB                             -- view and record both NULL: gone, kept for the log only
);
CREATE UNIQUE INDEX entry_subject ON entry(subject, commons);

CREATE TABLE facet_value(
  f INTEGER PRIMARY KEY,
  field TEXT NOT NULL,
  value TEXT NOT NULL,
  UNIQUE(field, value)
);

-- One row. version grows with every transaction that changes entries, next with every entry written.
CREATE TABLE counter(one INTEGER PRIMARY KEY CHECK (one = 1), version INT NOT NULL, next INT NOT NULL);
INSERT INTO counter VALUES(1, 0, 1);

CREATE TABLE local(name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;

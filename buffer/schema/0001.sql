-- One row a start of the agent. `state` is JSON a person can read: numbers issued, ranges settled by route, ranges gone by reason.
CREATE TABLE log (
  ordinal INTEGER PRIMARY KEY,  -- order of opening, in this file only
  id BLOB NOT NULL,             -- 8 random bytes, the log's name to the world
  state TEXT NOT NULL,
  crc INTEGER NOT NULL          -- CRC-32 of id and state
);

-- One row holds consecutive numbers of one lane of one log. The key is lane (2 bits), ordinal (25), first number (36):
-- appends land at the right edge of their lane, a drain reads neighbours, and no index is needed.
CREATE TABLE block (
  key INTEGER PRIMARY KEY,
  log BLOB NOT NULL,            -- the log's id again, so that a row can be salvaged alone
  span INTEGER NOT NULL,        -- last number minus first
  flags INTEGER NOT NULL,       -- bit 0 keep; bits 1-2 how often it was thinned
  crc INTEGER NOT NULL,         -- CRC-32 of log, lane, first, span, flags and body
  body BLOB NOT NULL
);

-- How far the current log had got after so many seconds of running: history is aged by these and never by the wall clock.
CREATE TABLE mark (
  at INTEGER PRIMARY KEY,
  ordinal INTEGER NOT NULL,
  numbers TEXT NOT NULL         -- JSON: last number of each lane
);

CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;

-- The full-text table of one commons ({table}): of its own, so that the weight of a word depends on this
-- commons' shown entries and on nothing else that a node happens to follow. Prefixes of 1 to 3 letters have
-- an index of their own: search while typing stays within 25 ms over 70,000 entries.
CREATE VIRTUAL TABLE {table} USING fts5(
  title, creators, subjects, text,
  content='', contentless_delete=1, detail=full, prefix='1 2 3', tokenize="unicode61 remove_diacritics 2"
);
INSERT INTO {table}({table}, rank) VALUES('hashsize', 16777216);  -- bytes gathered before a segment is written
-- Segments of one size that wait before they are merged. 16 instead of 4 write an entry in 10 % less time; searches
-- over 70,000 entries take the same, for a segment that does not have a word costs next to nothing.
INSERT INTO {table}({table}, rank) VALUES('automerge', 16);
-- Segments are written anew when half of their rows are gone; at the default tenth, a batch that replaces many
-- entries rewrites the whole index again and again (240 instead of 35 us per entry).
INSERT INTO {table}({table}, rank) VALUES('deletemerge', 50);
-- Merging goes on a little with every write (automerge); all at once only when 64 segments wait instead of 16:
-- the longest single edit takes 50 instead of 300 ms.
INSERT INTO {table}({table}, rank) VALUES('crisismerge', 64);

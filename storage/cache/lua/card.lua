-- Store a card that was read from the database, or say that it is about to change.
--
-- KEYS: the card. ARGV: value, time to live in ms, mode.
--   load     only where nothing stands: it was missing, and so it is the newest that is known
--   refresh  also over an older card or one that was not shown; not while a change is on its way ("?"), since
--            what was read may be older than the change
--   change   over anything
-- A tombstone ("-") stays in any case: a deleted photo never comes back. Answers 1 if stored.

local present = redis.call('GET', KEYS[1])
if present then
  if present == '-' or ARGV[3] == 'load' then return 0 end
  if present == '?' and ARGV[3] == 'refresh' then return 0 end
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1

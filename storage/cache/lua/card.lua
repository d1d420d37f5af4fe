-- Store a card that was read from the database, or the mark that it is being changed.
--
-- KEYS: the card. ARGV: value, time to live in ms, mode (below), time to live of the mark of a change in ms. Modes:
--   load     only if nothing is stored: the card was missing, so the value is the newest known
--   refresh  also over an older card or a hidden one, but not over the mark of a change ("?"), because the value may
--            have been read before that change
--   change   over anything
-- A tombstone ("-") always stays: a deleted photo must not reappear. Returns 1 if the value was stored.

local present = redis.call('GET', KEYS[1])
if present then
  if present == '?' and ARGV[3] ~= 'change' then
    -- The mark lasts longer only if the clock stepped back. Every read of the photo goes to PostgreSQL until it is gone.
    if redis.call('PTTL', KEYS[1]) > tonumber(ARGV[4]) then redis.call('PEXPIRE', KEYS[1], ARGV[4]) end
    return 0
  end
  if present == '-' or ARGV[3] == 'load' then return 0 end
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1

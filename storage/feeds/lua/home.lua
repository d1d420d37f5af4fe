-- Read a page of a home feed with the cards, counters and likes of its photos, in one round trip. What the stars that
-- the viewer follows have announced is pulled into the feed first.
--
-- KEYS: the feed's log, the viewer's likes, the quota, the session's revocation; all in one slot group.
-- ARGV: before (8 bytes, or '' for the top), limit, quota limit, quota window in µs, cost (0: do not charge), time to
-- live in s, window, the id below which entries end (8 bytes), and 'ids' if the caller reads cards and counters itself.
-- Returns: state (below), quota, whether the log is complete, whether the log has more entries below the page, lowest
-- id, ids (8 bytes each), cards, counters, likes (the marker first), and the log's epoch and newest offset. A missing
-- card is nil; photos with a tombstone are skipped.
--
-- On a cluster, cards and counters are in other slots, which a script must not read. There the ids are returned without
-- them, deleted photos included, and the caller reads both in a second step (storage/feeds/home_split.py).

local OK, MISSING, BUILDING_NOW, REVOKED, REFUSED = 0, 1, 2, 3, 4
local before, limit, quota = ARGV[1], tonumber(ARGV[2]), {}

if ARGV[5] ~= '0' then
  local now = gcra_now()
  local result = gcra_check(KEYS[3], tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), now)
  quota = gcra_reply(result)
  if redis.call('EXISTS', KEYS[4]) == 1 then return { REVOKED, quota } end
  if result.allowed == 0 then return { REFUSED, quota } end
  gcra_charge(KEYS[3], result, now)
end

local h = head(KEYS[1])
if not h then return { MISSING, quota } end
if has(h.flags, BUILDING) then return { BUILDING_NOW, quota } end
if not pull(KEYS[1], h, tonumber(ARGV[7])) then return { MISSING, quota } end
-- At most once a day, which saves writes per page, the log's life is extended and its oldest entries end.
if redis.call('TTL', KEYS[1]) < tonumber(ARGV[6]) - 86400 then
  expire(KEYS[1], h, ARGV[6])
  trim_below(KEYS[1], h, tonumber(ARGV[7]), struct.unpack('>I4I4', ARGV[8]))
end

-- Entries are read downwards. `entries` are those from index `from` on; `at` is the index above the next candidate.
local at, from, entries = h.count, h.count, ''
if before ~= '' then
  at = search(KEYS[1], h, struct.unpack('>I4I4', before))
  from = at
end

-- Return up to `wanted` further ids that are not removed, newest first.
local function candidates(wanted)
  local found = {}
  while at > 0 and #found < wanted do
    if at == from then
      -- A few more than a page, since some may be removed.
      from = math.max(at - limit - 4, 0)
      entries = entries_of(KEYS[1], h, from, at)
    end
    at = at - 1
    local place = (at - from) * ENTRY
    local _, _, removed = id_at(entries, at - from)
    if not removed then found[#found + 1] = string.sub(entries, place + 9, place + 16) end
  end
  return found
end

local ids, cards, counts = ARGV[9] == 'ids' and candidates(limit) or {}, {}, {}
while #ids < limit do
  local found = candidates(limit - #ids)
  if #found == 0 then break end
  local keys, n = {}, #found
  for i, id in ipairs(found) do keys[i], keys[n + i] = 'card:' .. id, 'count:' .. id end
  local values = redis.call('MGET', unpack(keys))
  for i, id in ipairs(found) do
    local card = values[i]
    -- The marks of storage/cache/cards.py: '?' is being changed (load it), '-' is deleted, '~' is not visible.
    if card == '?' then card = false end
    if card ~= '-' and card ~= '~' then
      local last = #ids + 1
      ids[last], cards[last], counts[last] = id, card, values[n + i]
    end
  end
end

local likes = redis.call('HMGET', KEYS[2], '*', unpack(ids))
local complete, more = has(h.flags, COMPLETE) and 1 or 0, #candidates(1)
-- The caller needs the lowest id only if the page reaches the end of the log; it continues from PostgreSQL there.
local lowest = at == 0 and string.sub(entries_of(KEYS[1], h, 0, math.min(h.count, 1)), 9, 16) or ''
return { OK, quota, complete, more, lowest, table.concat(ids), cards, counts, likes, h.epoch, h.top }

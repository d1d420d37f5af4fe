-- A page of a home feed with all that is shown beside the photos, in one round trip.
--
-- KEYS: the feed's log, the viewer's likes, the quota, the session's revocation; all of one slot group.
-- ARGV: before (8 bytes, or '' for the top), limit, quota limit (0: do not charge), quota window in µs, time to live
-- in s, and 'ids' if the caller fetches cards and counters.
-- Answers: state (below), quota, whether the log is complete, whether the log holds more below the page, lowest id,
-- ids (8 bytes each), cards, counters, likes (the marker first), and the log's epoch and newest offset. A card that is
-- missing is nil; tombstones are passed over.
--
-- On a cluster, cards and counters lie in other slots: there the ids are answered without them, those of photos that
-- are gone included, and the caller fetches both in a second step (storage/feeds/home_split.py).

local OK, MISSING, BUILDING_NOW, REVOKED, REFUSED = 0, 1, 2, 3, 4
local before, limit, quota = ARGV[1], tonumber(ARGV[2]), {}

if ARGV[3] ~= '0' then
  local now = gcra_now()
  local verdict = gcra_judge(KEYS[3], tonumber(ARGV[3]), tonumber(ARGV[4]), 1, now)
  quota = gcra_answer(verdict)
  if redis.call('EXISTS', KEYS[4]) == 1 then return { REVOKED, quota } end
  if verdict.allowed == 0 then return { REFUSED, quota } end
  gcra_charge(KEYS[3], verdict, now)
end

local h = head(KEYS[1])
if not h then return { MISSING, quota } end
if has(h.flags, BUILDING) then return { BUILDING_NOW, quota } end
-- A day's precision is enough, and spares a write for each page.
if redis.call('TTL', KEYS[1]) < tonumber(ARGV[5]) - 86400 then redis.call('EXPIRE', KEYS[1], ARGV[5]) end

-- Entries are read downwards from `at`, some more than a page at a time; `entries` are those from `from` on.
local at, from, entries = h.count, h.count, ''
if before ~= '' then
  at = search(KEYS[1], h, struct.unpack('>I4I4', before))
  from = at
end

-- The next ids that are not removed, newest first, up to `wanted` of them.
local function candidates(wanted)
  local found = {}
  while at > 0 and #found < wanted do
    if at == from then
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

local ids, cards, counts = ARGV[6] == 'ids' and candidates(limit) or {}, {}, {}
while #ids < limit do
  local found = candidates(limit - #ids)
  if #found == 0 then break end
  local keys, n = {}, #found
  for i, id in ipairs(found) do keys[i], keys[n + i] = 'card:' .. id, 'count:' .. id end
  local values = redis.call('MGET', unpack(keys))
  for i, id in ipairs(found) do
    local card = values[i]
    if card == '?' then card = false end
    if card ~= '-' and card ~= '~' then
      local last = #ids + 1
      ids[last], cards[last], counts[last] = id, card, values[n + i]
    end
  end
end

local likes = redis.call('HMGET', KEYS[2], '*', unpack(ids))
local complete, more = has(h.flags, COMPLETE) and 1 or 0, #candidates(1)
-- Needed only where the page comes to the end of the log.
local lowest = at == 0 and string.sub(entries_of(KEYS[1], h, 0, math.min(h.count, 1)), 9, 16) or ''
return { OK, quota, complete, more, lowest, table.concat(ids), cards, counts, likes, h.epoch, h.top }

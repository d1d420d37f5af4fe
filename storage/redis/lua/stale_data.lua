-- Flush data that were not written to the present run of the server. Run for each slot group on every new connection.
--
-- KEYS[1]: the group's mark, which holds the run id that its data were written to. Returns whether data were flushed
-- (0 or 1), and the run id. Fails if the server does not accept writes, for example because it is a replica.
--
-- A server that has read its own append-only file has every write that it ever acknowledged, as far as the operating
-- system stored it. A server that has read a snapshot, or was a replica before this run, has data of some earlier
-- moment. Without a mark the server is new to us and nothing is known about its data; they stay.

-- A write that changes nothing, because the mark never has an expiry.
redis.call('PERSIST', KEYS[1])
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
local known = redis.call('GET', KEYS[1])
if not run or known == run then return {0, run or ''} end
local has_file = string.find(redis.call('INFO', 'persistence'), 'aof_enabled:1')
-- master_replid2 is all zeros unless the server has been a replica of another master during this run.
local never_replica = string.find(redis.call('INFO', 'replication'), 'master_replid2:0+[\r\n]')
local stale = known and not (has_file and never_replica)
if stale then redis.call('FLUSHDB', 'ASYNC') end
redis.call('SET', KEYS[1], run)
return {stale and 1 or 0, run}

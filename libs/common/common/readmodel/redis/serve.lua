-- Serves a generation that was found whole, unless another one is served. Returns the one that is served then ("": none).
--
-- KEYS  current
-- ARGV  prefix of the service's keys, the field that holds a generation's state, the generation, the run it was found whole in

local prefix, state, name, run = unpack(ARGV)
local served = redis.call('GET', KEYS[1])
if served and served ~= name and redis.call('HEXISTS', prefix .. served .. ':documents', state) == 1 then
  return served
end
local documents = prefix .. name .. ':documents'
if redis.call('HEXISTS', documents, state) == 0 or not string.find(redis.call('INFO', 'server'), 'run_id:' .. run, 1, true) then
  return ''
end
redis.call('HSET', documents, state, run)
redis.call('SET', KEYS[1], name)
return name

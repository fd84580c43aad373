-- What the metering example must do well. Each works on the plain and on the partitioned table.

-- 1. The day query: who used how much in the last day. On the plain table as delivered it reads all
--    of t_dlpdata; `pgtend explain` names the sequential scan and proposes the index.
SELECT c.first_name, m.msn, d.kwh_reading
FROM m_customerinfo c
JOIN m_meterinfo m ON c.customer_id = m.customer_id
JOIN t_dlpdata d ON m.meter_id = d.meter_id
WHERE d.reading_timestamp > NOW() - INTERVAL '1 day';

-- 2. After a large import: `pgtend vacuum` sees dead rows and stale statistics and does this.
VACUUM t_dlpdata;
ANALYZE t_dlpdata;

-- 3. Once t_dlpdata is partitioned by month, this row lands in the partition of January 2025,
--    FOR VALUES FROM ('2025-01-01') TO ('2025-02-01').
INSERT INTO t_dlpdata (meter_id, reading_timestamp, kwh_reading)
VALUES (1, '2025-01-15 10:00:00+00', 123.45);

SELECT tableoid::regclass AS stored_in, meter_id, reading_timestamp, kwh_reading
FROM t_dlpdata
WHERE meter_id = 1 AND reading_timestamp = '2025-01-15 10:00:00+00';

-- 4. A query for a time range touches only its partitions, as its plan shows.
EXPLAIN (COSTS OFF)
SELECT sum(kwh_reading)
FROM t_dlpdata
WHERE reading_timestamp >= '2025-01-01 00:00:00+00' AND reading_timestamp < '2025-02-01 00:00:00+00';

-- 5. What the people at the counter ask, all day: the newest reading, one day, one month's bill.
SELECT reading_timestamp, kwh_reading
FROM t_dlpdata
WHERE meter_id = 17
ORDER BY reading_timestamp DESC
LIMIT 1;

SELECT reading_timestamp, kwh_reading
FROM t_dlpdata
WHERE meter_id = 17
  AND reading_timestamp >= date_trunc('day', NOW())
  AND reading_timestamp < date_trunc('day', NOW()) + INTERVAL '1 day'
ORDER BY reading_timestamp;

SELECT sum(kwh_reading) AS kwh, count(*) AS readings
FROM t_dlpdata
WHERE meter_id = 17
  AND reading_timestamp >= date_trunc('month', NOW())
  AND reading_timestamp < date_trunc('month', NOW()) + INTERVAL '1 month';

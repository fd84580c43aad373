-- The metering example as it is delivered: keys, nothing more. t_dlpdata (daily load profile data) is
-- the table that grows to billions of rows. Rows go in before the keys: that is four times as fast.

CREATE TABLE m_customerinfo (
  customer_id integer NOT NULL,
  first_name text NOT NULL,
  last_name text NOT NULL,
  email text,
  phone text,
  address text,
  city text,
  created_at timestamptz NOT NULL
);
CREATE TABLE m_meterinfo (
  meter_id integer NOT NULL,
  customer_id integer NOT NULL,
  msn text NOT NULL,
  model text,
  feeder_id integer,
  installed_at timestamptz,
  removed_at timestamptz
);
CREATE TABLE t_dlpdata (
  reading_id bigserial NOT NULL,
  meter_id integer NOT NULL,
  reading_timestamp timestamptz NOT NULL,
  kwh_reading numeric(10,4) NOT NULL
);

-- Load the rows here.

ALTER TABLE m_customerinfo ADD PRIMARY KEY (customer_id);
ALTER TABLE m_meterinfo ADD PRIMARY KEY (meter_id);
ALTER TABLE m_meterinfo ADD UNIQUE (msn);
ALTER TABLE m_meterinfo ADD FOREIGN KEY (customer_id) REFERENCES m_customerinfo;
ALTER TABLE t_dlpdata ADD PRIMARY KEY (reading_id);

-- A database as revision 0001 left it on sqlite, with a history. Written by `python -m tests.frozen`; never edited.;

CREATE TABLE account (
	id INTEGER NOT NULL,
	name TEXT NOT NULL,
	created_at INTEGER NOT NULL,
	asset_scope TEXT,
	key_fingerprint TEXT,
	stopped_at INTEGER,
	stop_reason TEXT,
	probe_at INTEGER,
	CONSTRAINT pk_account PRIMARY KEY (id),
	CONSTRAINT uq_account_name UNIQUE (name),
	CONSTRAINT ck_account_named CHECK (name <> '')
)
 STRICT;

CREATE TABLE daemon_run (
	host TEXT NOT NULL,
	started_at INTEGER NOT NULL,
	pid INTEGER NOT NULL,
	ended_at INTEGER,
	clean INTEGER,
	version TEXT NOT NULL,
	CONSTRAINT pk_daemon_run PRIMARY KEY (host, started_at),
	CONSTRAINT ck_daemon_run_clean CHECK (clean IN (0, 1))
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE price (
	due_at INTEGER NOT NULL,
	base TEXT NOT NULL,
	quote TEXT NOT NULL,
	price TEXT NOT NULL,
	CONSTRAINT pk_price PRIMARY KEY (due_at, base, quote),
	CONSTRAINT ck_price_price_plain CHECK (price GLOB '[0-9]*' AND price NOT GLOB '*[^0-9.]*' AND price NOT GLOB '*.*.*' AND price NOT GLOB '*.')
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE wait (
	scope TEXT NOT NULL,
	until INTEGER NOT NULL,
	reason TEXT NOT NULL,
	CONSTRAINT pk_wait PRIMARY KEY (scope),
	CONSTRAINT ck_wait_reason CHECK (reason IN ('timeout', 'connection', 'tls', 'server_error', 'bad_reply', 'clock', 'rate_limited', 'banned', 'firewall', 'busy', 'maintenance', 'bad_signature', 'key_rejected', 'bad_parameter', 'unknown_code', 'aborted'))
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE known_asset (
	account_id INTEGER NOT NULL,
	asset TEXT NOT NULL,
	first_due_at INTEGER NOT NULL,
	CONSTRAINT pk_known_asset PRIMARY KEY (account_id, asset),
	CONSTRAINT fk_known_asset_account FOREIGN KEY(account_id) REFERENCES account (id)
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE missed (
	account_id INTEGER NOT NULL,
	start_at INTEGER NOT NULL,
	last_due_at INTEGER NOT NULL,
	interval_s INTEGER NOT NULL,
	ticks INTEGER NOT NULL,
	reason TEXT NOT NULL,
	CONSTRAINT pk_missed PRIMARY KEY (account_id, start_at),
	CONSTRAINT ck_missed_reason CHECK (reason IN ('not_running', 'suspended', 'overrun', 'clock_step', 'paused', 'account_stopped', 'waiting', 'spool_full')),
	CONSTRAINT ck_missed_interval CHECK (interval_s BETWEEN 1 AND 86400),
	CONSTRAINT ck_missed_ticks CHECK (last_due_at = start_at + (ticks - 1) * interval_s AND ticks >= 1),
	CONSTRAINT fk_missed_account FOREIGN KEY(account_id) REFERENCES account (id)
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE schedule (
	account_id INTEGER NOT NULL,
	from_at INTEGER NOT NULL,
	interval_s INTEGER,
	CONSTRAINT pk_schedule PRIMARY KEY (account_id, from_at),
	CONSTRAINT ck_schedule_interval CHECK (interval_s BETWEEN 1 AND 86400),
	CONSTRAINT fk_schedule_account FOREIGN KEY(account_id) REFERENCES account (id)
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE thinned (
	account_id INTEGER NOT NULL,
	start_at INTEGER NOT NULL,
	last_due_at INTEGER NOT NULL,
	interval_s INTEGER NOT NULL,
	ticks INTEGER NOT NULL,
	CONSTRAINT pk_thinned PRIMARY KEY (account_id, start_at),
	CONSTRAINT ck_thinned_interval CHECK (interval_s BETWEEN 1 AND 86400),
	CONSTRAINT ck_thinned_ticks CHECK (last_due_at = start_at + (ticks - 1) * interval_s AND ticks >= 1),
	CONSTRAINT fk_thinned_account FOREIGN KEY(account_id) REFERENCES account (id)
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE tick (
	due_at INTEGER NOT NULL,
	account_id INTEGER NOT NULL,
	interval_s INTEGER,
	outcome TEXT NOT NULL,
	reason TEXT,
	http_status INTEGER,
	code INTEGER,
	detail TEXT,
	attempts INTEGER NOT NULL,
	requested_at INTEGER,
	received_at INTEGER,
	recorded_at INTEGER NOT NULL,
	clock_offset_ms INTEGER,
	weight_used INTEGER,
	asset_count INTEGER,
	unpriced INTEGER,
	btc_total TEXT,
	btc_requested INTEGER,
	digest TEXT,
	extra TEXT,
	CONSTRAINT pk_tick PRIMARY KEY (account_id, due_at),
	CONSTRAINT ck_tick_interval CHECK (interval_s BETWEEN 1 AND 86400),
	CONSTRAINT ck_tick_btc_requested CHECK (btc_requested IN (0, 1)),
	CONSTRAINT ck_tick_outcome CHECK (CASE outcome WHEN 'stored' THEN reason IS NULL AND received_at IS NOT NULL AND asset_count IS NOT NULL AND digest IS NOT NULL AND btc_requested IS NOT NULL WHEN 'failed' THEN reason IS NOT NULL AND reason IN ('timeout', 'connection', 'tls', 'server_error', 'bad_reply', 'clock', 'rate_limited', 'banned', 'firewall', 'busy', 'maintenance', 'bad_signature', 'key_rejected', 'bad_parameter', 'unknown_code', 'aborted') AND interval_s IS NOT NULL AND asset_count IS NULL ELSE 1 = 0 END),
	CONSTRAINT ck_tick_btc_total_plain CHECK (btc_total GLOB '[0-9]*' AND btc_total NOT GLOB '*[^0-9.]*' AND btc_total NOT GLOB '*.*.*' AND btc_total NOT GLOB '*.'),
	CONSTRAINT fk_tick_account FOREIGN KEY(account_id) REFERENCES account (id)
)
 WITHOUT ROWID,
 STRICT;

CREATE INDEX ix_tick_not_stored ON tick (account_id, due_at, outcome, interval_s, reason) WHERE outcome <> 'stored';

CREATE TABLE balance (
	due_at INTEGER NOT NULL,
	account_id INTEGER NOT NULL,
	asset TEXT NOT NULL,
	free TEXT NOT NULL,
	locked TEXT NOT NULL,
	frozen TEXT NOT NULL,
	withdrawing TEXT NOT NULL,
	ipoable TEXT NOT NULL,
	btc_valuation TEXT,
	CONSTRAINT pk_balance PRIMARY KEY (account_id, due_at, asset),
	CONSTRAINT fk_balance_tick FOREIGN KEY(account_id, due_at) REFERENCES tick (account_id, due_at),
	CONSTRAINT ck_balance_asset CHECK (asset <> ''),
	CONSTRAINT ck_balance_free_plain CHECK (free GLOB '[0-9]*' AND free NOT GLOB '*[^0-9.]*' AND free NOT GLOB '*.*.*' AND free NOT GLOB '*.'),
	CONSTRAINT ck_balance_locked_plain CHECK (locked GLOB '[0-9]*' AND locked NOT GLOB '*[^0-9.]*' AND locked NOT GLOB '*.*.*' AND locked NOT GLOB '*.'),
	CONSTRAINT ck_balance_frozen_plain CHECK (frozen GLOB '[0-9]*' AND frozen NOT GLOB '*[^0-9.]*' AND frozen NOT GLOB '*.*.*' AND frozen NOT GLOB '*.'),
	CONSTRAINT ck_balance_withdrawing_plain CHECK (withdrawing GLOB '[0-9]*' AND withdrawing NOT GLOB '*[^0-9.]*' AND withdrawing NOT GLOB '*.*.*' AND withdrawing NOT GLOB '*.'),
	CONSTRAINT ck_balance_ipoable_plain CHECK (ipoable GLOB '[0-9]*' AND ipoable NOT GLOB '*[^0-9.]*' AND ipoable NOT GLOB '*.*.*' AND ipoable NOT GLOB '*.'),
	CONSTRAINT ck_balance_btc_valuation_plain CHECK (btc_valuation GLOB '[0-9]*' AND btc_valuation NOT GLOB '*[^0-9.]*' AND btc_valuation NOT GLOB '*.*.*' AND btc_valuation NOT GLOB '*.')
)
 WITHOUT ROWID,
 STRICT;

CREATE VIEW snapshot AS
SELECT a.name AS account, a.id AS account_id, strftime('%Y-%m-%dT%H:%M:%SZ', t.due_at, 'unixepoch') AS due_at, t.due_at AS due_epoch, strftime('%Y-%m-%dT%H:%M:%fZ', t.received_at / 1000.0, 'unixepoch') AS captured_at,
    a.asset_scope, t.asset_count, t.unpriced, t.btc_total, CAST(t.btc_total AS REAL) AS btc_total_num
FROM account AS a CROSS JOIN tick AS t
WHERE t.account_id = a.id AND t.outcome = 'stored';

CREATE VIEW total_history AS
SELECT a.name AS account, a.id AS account_id, strftime('%Y-%m-%dT%H:%M:%SZ', t.due_at, 'unixepoch') AS due_at, t.due_at AS due_epoch, strftime('%Y-%m-%dT%H:%M:%fZ', t.received_at / 1000.0, 'unixepoch') AS captured_at,
    a.asset_scope, t.asset_count, t.unpriced, t.btc_total, CAST(t.btc_total AS REAL) AS btc_total_num
FROM account AS a CROSS JOIN tick AS t
WHERE t.account_id = a.id AND t.outcome = 'stored' AND t.btc_requested = 1;

CREATE VIEW latest_balance AS
SELECT a.name AS account, a.id AS account_id, strftime('%Y-%m-%dT%H:%M:%SZ', t.due_at, 'unixepoch') AS due_at, t.due_at AS due_epoch, strftime('%Y-%m-%dT%H:%M:%fZ', t.received_at / 1000.0, 'unixepoch') AS captured_at, b.asset,
    b.free AS free, b.locked AS locked, b.frozen AS frozen, b.withdrawing AS withdrawing, b.ipoable AS ipoable, b.btc_valuation AS btc_valuation, CAST(b.free AS REAL) AS free_num, CAST(b.locked AS REAL) AS locked_num, CAST(b.frozen AS REAL) AS frozen_num, CAST(b.withdrawing AS REAL) AS withdrawing_num, CAST(b.ipoable AS REAL) AS ipoable_num, CAST(b.btc_valuation AS REAL) AS btc_valuation_num, CAST(b.free AS REAL) + CAST(b.locked AS REAL) + CAST(b.frozen AS REAL) + CAST(b.withdrawing AS REAL) AS total_num
FROM account AS a CROSS JOIN tick AS t CROSS JOIN balance AS b
WHERE t.account_id = a.id AND b.account_id = t.account_id AND b.due_at = t.due_at AND t.outcome = 'stored' AND t.due_at = (SELECT s.due_at FROM tick AS s WHERE s.account_id = a.id AND s.outcome = 'stored' ORDER BY s.due_at DESC LIMIT 1);

CREATE VIEW balance_history AS
SELECT a.name AS account, a.id AS account_id, strftime('%Y-%m-%dT%H:%M:%SZ', t.due_at, 'unixepoch') AS due_at, t.due_at AS due_epoch, strftime('%Y-%m-%dT%H:%M:%fZ', t.received_at / 1000.0, 'unixepoch') AS captured_at, b.asset,
    b.free AS free, b.locked AS locked, b.frozen AS frozen, b.withdrawing AS withdrawing, b.ipoable AS ipoable, b.btc_valuation AS btc_valuation, CAST(b.free AS REAL) AS free_num, CAST(b.locked AS REAL) AS locked_num, CAST(b.frozen AS REAL) AS frozen_num, CAST(b.withdrawing AS REAL) AS withdrawing_num, CAST(b.ipoable AS REAL) AS ipoable_num, CAST(b.btc_valuation AS REAL) AS btc_valuation_num, CAST(b.free AS REAL) + CAST(b.locked AS REAL) + CAST(b.frozen AS REAL) + CAST(b.withdrawing AS REAL) AS total_num
FROM account AS a CROSS JOIN tick AS t CROSS JOIN balance AS b
WHERE t.account_id = a.id AND b.account_id = t.account_id AND b.due_at = t.due_at AND t.outcome = 'stored';

CREATE VIEW asset_history AS
SELECT a.name AS account, a.id AS account_id, strftime('%Y-%m-%dT%H:%M:%SZ', t.due_at, 'unixepoch') AS due_at, t.due_at AS due_epoch, strftime('%Y-%m-%dT%H:%M:%fZ', t.received_at / 1000.0, 'unixepoch') AS captured_at, k.asset,
    coalesce(b.free, '0') AS free, coalesce(b.locked, '0') AS locked, coalesce(b.frozen, '0') AS frozen, coalesce(b.withdrawing, '0') AS withdrawing, coalesce(b.ipoable, '0') AS ipoable, CASE WHEN b.asset IS NULL AND t.btc_requested = 1 THEN '0' ELSE b.btc_valuation END AS btc_valuation, CAST(coalesce(b.free, '0') AS REAL) AS free_num, CAST(coalesce(b.locked, '0') AS REAL) AS locked_num, CAST(coalesce(b.frozen, '0') AS REAL) AS frozen_num, CAST(coalesce(b.withdrawing, '0') AS REAL) AS withdrawing_num, CAST(coalesce(b.ipoable, '0') AS REAL) AS ipoable_num, CAST(CASE WHEN b.asset IS NULL AND t.btc_requested = 1 THEN '0' ELSE b.btc_valuation END AS REAL) AS btc_valuation_num, CAST(coalesce(b.free, '0') AS REAL) + CAST(coalesce(b.locked, '0') AS REAL) + CAST(coalesce(b.frozen, '0') AS REAL) + CAST(coalesce(b.withdrawing, '0') AS REAL) AS total_num
FROM account AS a CROSS JOIN known_asset AS k CROSS JOIN tick AS t
    LEFT JOIN balance AS b ON b.account_id = t.account_id AND b.due_at = t.due_at AND b.asset = k.asset
WHERE k.account_id = a.id AND t.account_id = a.id AND t.due_at >= k.first_due_at AND t.outcome = 'stored'
    AND (a.asset_scope IS NULL OR a.asset_scope = k.asset);

CREATE VIEW gap AS
WITH answered AS (
    SELECT a.id AS account_id,
        (SELECT x.due_at FROM tick AS x WHERE x.account_id = a.id AND x.interval_s IS NOT NULL ORDER BY x.due_at DESC LIMIT 1) AS tick_at,
        (SELECT x.last_due_at FROM missed AS x WHERE x.account_id = a.id ORDER BY x.start_at DESC LIMIT 1) AS missed_at,
        (SELECT x.last_due_at FROM thinned AS x WHERE x.account_id = a.id ORDER BY x.start_at DESC LIMIT 1) AS thinned_at
    FROM account AS a),
newest AS (
    SELECT account_id, max(coalesce(tick_at, -1), coalesce(missed_at, -1), coalesce(thinned_at, -1)) AS newest_at FROM answered),
period AS (
    SELECT s.account_id, s.interval_s, n.newest_at, s.from_at AS from_at,
        coalesce(lead(s.from_at) OVER (PARTITION BY s.account_id ORDER BY s.from_at), max(n.newest_at, CAST(strftime('%s', 'now') AS INTEGER) - min(2 * s.interval_s, 120)) + 1) AS to_at
    FROM schedule AS s JOIN newest AS n ON n.account_id = s.account_id),
due AS (
    SELECT account_id, interval_s, to_at,
        max(0, (to_at - 1) / interval_s - (from_at - 1) / interval_s) AS ticks,
        max(from_at, newest_at + 1) AS open_from
    FROM period WHERE interval_s IS NOT NULL),
open_end AS (
    SELECT account_id, sum((to_at - 1) / interval_s - (open_from - 1) / interval_s) AS ticks,
        min((open_from + interval_s - 1) / interval_s * interval_s) AS start_at,
        max((to_at - 1) / interval_s * interval_s) AS last_due_at
    FROM due WHERE (to_at - 1) / interval_s > (open_from - 1) / interval_s
    GROUP BY account_id),
item AS (
    SELECT account_id, due_at AS start_at FROM tick AS x WHERE x.outcome <> 'stored' AND x.interval_s IS NOT NULL
    UNION ALL SELECT account_id, start_at FROM missed
    UNION ALL SELECT account_id, start_at FROM open_end),
seen AS (
    SELECT DISTINCT i.account_id, i.start_at,
        max(coalesce((SELECT x.due_at FROM tick AS x WHERE x.outcome <> 'stored' AND x.interval_s IS NOT NULL AND x.account_id = i.account_id AND x.due_at < i.start_at ORDER BY x.due_at DESC LIMIT 1), 0),
    coalesce((SELECT x.last_due_at FROM missed AS x WHERE x.account_id = i.account_id AND x.start_at < i.start_at ORDER BY x.start_at DESC LIMIT 1), 0)) AS loss_at
    FROM item AS i),
g AS (
    SELECT DISTINCT s.account_id, s.start_at,
        min(coalesce((SELECT x.due_at FROM tick AS x WHERE x.outcome = 'stored' AND x.interval_s IS NOT NULL AND x.account_id = s.account_id AND x.due_at > s.start_at ORDER BY x.due_at LIMIT 1), 9223372036854775807),
    coalesce((SELECT x.start_at FROM thinned AS x WHERE x.account_id = s.account_id AND x.start_at > s.start_at ORDER BY x.start_at LIMIT 1), 9223372036854775807)) AS next_at
    FROM seen AS s
    WHERE s.loss_at = 0
        OR EXISTS (SELECT 1 FROM tick AS x WHERE x.account_id = s.account_id AND x.due_at > s.loss_at AND x.due_at < s.start_at AND x.interval_s IS NOT NULL)
        OR EXISTS (SELECT 1 FROM thinned AS x WHERE x.account_id = s.account_id AND x.start_at > s.loss_at AND x.start_at < s.start_at)),
measured AS (
    SELECT DISTINCT g.account_id, g.start_at, g.next_at = 9223372036854775807 AS open,
        max(coalesce((SELECT max(x.due_at) FROM tick AS x WHERE x.outcome <> 'stored' AND x.interval_s IS NOT NULL AND x.account_id = g.account_id AND x.due_at >= g.start_at AND x.due_at < g.next_at), 0),
    coalesce((SELECT max(x.last_due_at) FROM missed AS x WHERE x.account_id = g.account_id AND x.start_at >= g.start_at AND x.start_at < g.next_at), 0),
    CASE WHEN g.next_at = 9223372036854775807 AND o.ticks > 0 THEN o.last_due_at ELSE 0 END) AS last_due_at,
        (SELECT count(*) FROM tick AS x WHERE x.outcome <> 'stored' AND x.interval_s IS NOT NULL AND x.account_id = g.account_id AND x.due_at >= g.start_at AND x.due_at < g.next_at) AS failed,
        (SELECT coalesce(sum(x.ticks), 0) FROM missed AS x WHERE x.account_id = g.account_id AND x.start_at >= g.start_at AND x.start_at < g.next_at)
            + CASE WHEN g.next_at = 9223372036854775807 THEN coalesce(o.ticks, 0) ELSE 0 END AS missed,
        (SELECT group_concat(word, ',') FROM (SELECT word FROM (SELECT x.reason AS word FROM tick AS x WHERE x.outcome <> 'stored' AND x.interval_s IS NOT NULL AND x.account_id = g.account_id AND x.due_at >= g.start_at AND x.due_at < g.next_at
    UNION SELECT x.reason FROM missed AS x WHERE x.account_id = g.account_id AND x.start_at >= g.start_at AND x.start_at < g.next_at
    UNION SELECT 'not_running' WHERE g.next_at = 9223372036854775807 AND o.ticks > 0) ORDER BY word)) AS reasons
    FROM g LEFT JOIN open_end AS o ON o.account_id = g.account_id)
SELECT a.name AS account, m.account_id,
    strftime('%Y-%m-%dT%H:%M:%SZ', m.start_at, 'unixepoch') AS start_at, m.start_at AS start_epoch,
    strftime('%Y-%m-%dT%H:%M:%SZ', m.last_due_at, 'unixepoch') AS last_due_at, m.last_due_at AS last_due_epoch,
    m.failed + m.missed AS ticks, m.failed, m.missed, m.reasons, m.open
FROM measured AS m JOIN account AS a ON a.id = m.account_id;

CREATE VIEW coverage AS
WITH answered AS (
    SELECT a.id AS account_id,
        (SELECT x.due_at FROM tick AS x WHERE x.account_id = a.id AND x.interval_s IS NOT NULL ORDER BY x.due_at DESC LIMIT 1) AS tick_at,
        (SELECT x.last_due_at FROM missed AS x WHERE x.account_id = a.id ORDER BY x.start_at DESC LIMIT 1) AS missed_at,
        (SELECT x.last_due_at FROM thinned AS x WHERE x.account_id = a.id ORDER BY x.start_at DESC LIMIT 1) AS thinned_at
    FROM account AS a),
newest AS (
    SELECT account_id, max(coalesce(tick_at, -1), coalesce(missed_at, -1), coalesce(thinned_at, -1)) AS newest_at FROM answered),
period AS (
    SELECT s.account_id, s.interval_s, n.newest_at, s.from_at AS from_at,
        coalesce(lead(s.from_at) OVER (PARTITION BY s.account_id ORDER BY s.from_at), max(n.newest_at, CAST(strftime('%s', 'now') AS INTEGER) - min(2 * s.interval_s, 120)) + 1) AS to_at
    FROM schedule AS s JOIN newest AS n ON n.account_id = s.account_id),
due AS (
    SELECT account_id, interval_s, to_at,
        max(0, (to_at - 1) / interval_s - (from_at - 1) / interval_s) AS ticks,
        max(from_at, newest_at + 1) AS open_from
    FROM period WHERE interval_s IS NOT NULL),
open_end AS (
    SELECT account_id, sum((to_at - 1) / interval_s - (open_from - 1) / interval_s) AS ticks,
        min((open_from + interval_s - 1) / interval_s * interval_s) AS start_at,
        max((to_at - 1) / interval_s * interval_s) AS last_due_at
    FROM due WHERE (to_at - 1) / interval_s > (open_from - 1) / interval_s
    GROUP BY account_id),
        counted AS (
            SELECT DISTINCT a.name AS account, a.id AS account_id, (SELECT coalesce(sum(d.ticks), 0) FROM due AS d WHERE d.account_id = a.id) AS due,
                (SELECT coalesce(sum(x.ticks), 0) FROM thinned AS x WHERE x.account_id = a.id) AS thinned,
                (SELECT count(*) FROM tick AS x WHERE x.account_id = a.id AND x.outcome <> 'stored' AND x.interval_s IS NOT NULL) AS failed,
                (SELECT coalesce(sum(x.ticks), 0) FROM missed AS x WHERE x.account_id = a.id)
                    + coalesce((SELECT o.ticks FROM open_end AS o WHERE o.account_id = a.id), 0) AS missed
            FROM account AS a)
        SELECT account, account_id, due, due - thinned - failed - missed AS stored, thinned, failed, missed,
            CASE WHEN due > 0 THEN CAST(100 * (due - failed - missed) AS REAL) / due END AS percent
        FROM counted;

CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY);

INSERT INTO alembic_version (version_num) VALUES ('0001');

INSERT INTO account (id, name, created_at, asset_scope, key_fingerprint, stopped_at, stop_reason, probe_at) VALUES (1, 'main', 1699999800000, NULL, '0123456789abcdef', NULL, NULL, NULL);

INSERT INTO account (id, name, created_at, asset_scope, key_fingerprint, stopped_at, stop_reason, probe_at) VALUES (2, 'only BTC', 1699999800000, 'BTC', NULL, 1699999800007, 'key_rejected', NULL);

INSERT INTO daemon_run (host, started_at, pid, ended_at, clean, version) VALUES ('h', 1699999800001, 7, 1699999800002, 1, '0.1.0');

INSERT INTO price (due_at, base, quote, price) VALUES (1699999800, 'BTC', 'EUR', '35000.10');

INSERT INTO wait (scope, until, reason) VALUES ('ip', 1699999800, 'banned');

INSERT INTO known_asset (account_id, asset, first_due_at) VALUES (1, 'BTC', 1699999860);

INSERT INTO known_asset (account_id, asset, first_due_at) VALUES (1, 'ETH', 1699999830);

INSERT INTO known_asset (account_id, asset, first_due_at) VALUES (1, 'it''s', 1699999860);

INSERT INTO known_asset (account_id, asset, first_due_at) VALUES (1, '币安人生', 1699999860);

INSERT INTO missed (account_id, start_at, last_due_at, interval_s, ticks, reason) VALUES (1, 1700000100, 1700000220, 60, 3, 'waiting');

INSERT INTO schedule (account_id, from_at, interval_s) VALUES (1, 1699999800, 60);

INSERT INTO schedule (account_id, from_at, interval_s) VALUES (1, 1700000300, NULL);

INSERT INTO schedule (account_id, from_at, interval_s) VALUES (2, 1699999800, 300);

INSERT INTO thinned (account_id, start_at, last_due_at, interval_s, ticks) VALUES (1, 1699999860, 1699999920, 60, 2);

INSERT INTO tick (due_at, account_id, interval_s, outcome, reason, http_status, code, detail, attempts, requested_at, received_at, recorded_at, clock_offset_ms, weight_used, asset_count, unpriced, btc_total, btc_requested, digest, extra) VALUES (1699999800, 1, 60, 'stored', NULL, NULL, NULL, NULL, 1, 1699999800012, 1699999800345, 1699999802000, -3, 5, 0, 0, '0', 1, 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', NULL);

INSERT INTO tick (due_at, account_id, interval_s, outcome, reason, http_status, code, detail, attempts, requested_at, received_at, recorded_at, clock_offset_ms, weight_used, asset_count, unpriced, btc_total, btc_requested, digest, extra) VALUES (1699999830, 1, NULL, 'stored', NULL, NULL, NULL, NULL, 1, 1699999830012, 1699999830345, 1699999832000, -3, 5, 1, 0, NULL, 0, 'd59e1f469e2a95d2d1b86b69644772fe0e4e19b7484e80d011a6304a48ecd886', NULL);

INSERT INTO tick (due_at, account_id, interval_s, outcome, reason, http_status, code, detail, attempts, requested_at, received_at, recorded_at, clock_offset_ms, weight_used, asset_count, unpriced, btc_total, btc_requested, digest, extra) VALUES (1699999980, 1, 60, 'stored', NULL, NULL, NULL, NULL, 1, 1699999980012, 1699999980345, 1699999982000, -3, 5, 3, 1, '0.60000000', 1, 'c89828751ef9dd20916d0869b10d0c54d6b417be8038e24f7c52e8126d84d80d', '{"BTC": {"new \\ field": "\"a\\tb\""}}');

INSERT INTO tick (due_at, account_id, interval_s, outcome, reason, http_status, code, detail, attempts, requested_at, received_at, recorded_at, clock_offset_ms, weight_used, asset_count, unpriced, btc_total, btc_requested, digest, extra) VALUES (1700000040, 1, 60, 'failed', 'banned', 502, -1001, 'what was seen', 3, 1700000040012, NULL, 1700000042000, 4, 15, NULL, NULL, NULL, NULL, NULL, NULL);

INSERT INTO tick (due_at, account_id, interval_s, outcome, reason, http_status, code, detail, attempts, requested_at, received_at, recorded_at, clock_offset_ms, weight_used, asset_count, unpriced, btc_total, btc_requested, digest, extra) VALUES (1700000280, 1, 60, 'stored', NULL, NULL, NULL, NULL, 1, 1700000280012, 1700000280345, 1700000282000, -3, 5, 0, 0, '0', 1, 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', NULL);

INSERT INTO balance (due_at, account_id, asset, free, locked, frozen, withdrawing, ipoable, btc_valuation) VALUES (1699999830, 1, 'ETH', '1', '0', '0', '0', '0', NULL);

INSERT INTO balance (due_at, account_id, asset, free, locked, frozen, withdrawing, ipoable, btc_valuation) VALUES (1699999980, 1, 'BTC', '0.50000000', '0', '0', '0', '0', '0.50000000');

INSERT INTO balance (due_at, account_id, asset, free, locked, frozen, withdrawing, ipoable, btc_valuation) VALUES (1699999980, 1, 'it''s', '1', '0', '0.0', '0', '0', '0.1');

INSERT INTO balance (due_at, account_id, asset, free, locked, frozen, withdrawing, ipoable, btc_valuation) VALUES (1699999980, 1, '币安人生', '123456789012345678901234567890.1234567890', '0.0000001', '0', '0', '0', '0.00000000');

DROP VIEW coverage;

DROP VIEW gap;

DROP VIEW asset_history;

DROP VIEW balance_history;

DROP VIEW latest_balance;

DROP VIEW total_history;

DROP VIEW snapshot;

DROP TABLE balance;

DROP TABLE tick;

DROP TABLE thinned;

DROP TABLE schedule;

DROP TABLE missed;

DROP TABLE known_asset;

DROP TABLE wait;

DROP TABLE price;

DROP TABLE daemon_run;

DROP TABLE account;

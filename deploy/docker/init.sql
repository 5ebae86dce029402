-- What driver and workers of compose.yaml run at their start. The keys of the S3 server come from their environment.
LOAD httpfs;
LOAD ducklake;
SET GLOBAL s3_url_style = 'path';

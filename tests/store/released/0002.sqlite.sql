BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0002');
CREATE TABLE chunks (
	id INTEGER NOT NULL, 
	job_id VARCHAR(16) NOT NULL, 
	first INTEGER NOT NULL, 
	stop INTEGER NOT NULL, 
	cursor INTEGER NOT NULL, 
	owner VARCHAR(64), 
	lease_until_ms BIGINT, 
	attempts INTEGER NOT NULL, 
	failure_kind VARCHAR(16), 
	failure_text TEXT, partial_text TEXT, 
	CONSTRAINT pk_chunks PRIMARY KEY (id), 
	CONSTRAINT fk_chunks_job_id_jobs FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE CASCADE, 
	CONSTRAINT uq_chunks_job_id_first UNIQUE (job_id, first)
);
INSERT INTO "chunks" VALUES(1,'ozmckh3s5uyq47m7',0,3,3,NULL,NULL,0,NULL,NULL,NULL);
INSERT INTO "chunks" VALUES(2,'5avnt47fhzvcecye',0,4,1,NULL,NULL,1,NULL,NULL,NULL);
INSERT INTO "chunks" VALUES(3,'5avnt47fhzvcecye',4,8,5,NULL,NULL,1,NULL,NULL,NULL);
INSERT INTO "chunks" VALUES(4,'5avnt47fhzvcecye',8,12,8,NULL,NULL,0,NULL,NULL,NULL);
INSERT INTO "chunks" VALUES(5,'5avnt47fhzvcecye',12,16,12,NULL,NULL,0,NULL,NULL,NULL);
INSERT INTO "chunks" VALUES(6,'5avnt47fhzvcecye',16,20,16,NULL,NULL,0,NULL,NULL,NULL);
INSERT INTO "chunks" VALUES(7,'yz34kzl7koohaxkp',0,4,3,'vm-17907-4movgdaovudkrexk',1795545802092,1,NULL,NULL,NULL);
INSERT INTO "chunks" VALUES(8,'yz34kzl7koohaxkp',4,8,7,'vm-17907-q6gjvmkr7zajwlxl',1795545802236,1,NULL,NULL,NULL);
INSERT INTO "chunks" VALUES(9,'yz34kzl7koohaxkp',8,12,8,NULL,NULL,0,NULL,NULL,NULL);
INSERT INTO "chunks" VALUES(10,'yz34kzl7koohaxkp',12,16,12,NULL,NULL,0,NULL,NULL,NULL);
INSERT INTO "chunks" VALUES(11,'yz34kzl7koohaxkp',16,20,16,NULL,NULL,0,NULL,NULL,NULL);
CREATE TABLE jobs (
	id VARCHAR(16) NOT NULL, 
	video_id VARCHAR(16) NOT NULL, 
	filename TEXT NOT NULL, 
	commentator VARCHAR(32) NOT NULL, 
	parameters JSON NOT NULL, 
	window_count INTEGER NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	priority INTEGER NOT NULL, 
	created_ms BIGINT NOT NULL, 
	started_ms BIGINT, 
	finished_ms BIGINT, 
	running_since_ms BIGINT, 
	ran_ms BIGINT NOT NULL, 
	failure_kind VARCHAR(16), 
	failure_text TEXT, 
	failure_window INTEGER, 
	hint_epoch INTEGER NOT NULL, 
	hinted_ms BIGINT NOT NULL, networks JSON DEFAULT '[]' NOT NULL, 
	CONSTRAINT pk_jobs PRIMARY KEY (id), 
	CONSTRAINT fk_jobs_video_id_videos FOREIGN KEY(video_id) REFERENCES videos (id)
);
INSERT INTO "jobs" VALUES('ozmckh3s5uyq47m7','nyfv4lksg6ebikrp','done.mp4','builtin','{"commentator": "builtin", "capture_fps": "2", "frames_per_inference": 4, "frame_stride": 2, "window_hop": 8, "change_threshold": 0.0, "max_new_tokens": 96}',3,'done',0,1795545768173,1795545768340,1795545769853,NULL,1513,NULL,NULL,NULL,1,1795545768340,'[]');
INSERT INTO "jobs" VALUES('5avnt47fhzvcecye','nyfv4lksg6ebikrp','cancelled.mp4','builtin','{"commentator": "builtin", "capture_fps": "2", "frames_per_inference": 1, "frame_stride": 1, "window_hop": 1, "change_threshold": 0.0, "max_new_tokens": 96}',20,'cancelled',0,1795545769895,1795545769915,1795545770565,NULL,650,NULL,NULL,NULL,1,1795545769920,'[]');
INSERT INTO "jobs" VALUES('yz34kzl7koohaxkp','nyfv4lksg6ebikrp','open.mp4','builtin','{"commentator": "builtin", "capture_fps": "2", "frames_per_inference": 1, "frame_stride": 1, "window_hop": 1, "change_threshold": 0.0, "max_new_tokens": 96}',20,'running',0,1795545770573,1795545770803,NULL,1795545770803,0,NULL,NULL,NULL,1,1795545770913,'[]');
CREATE TABLE segments (
	job_id VARCHAR(16) NOT NULL, 
	"index" INTEGER NOT NULL, 
	start_ms BIGINT NOT NULL, 
	end_ms BIGINT NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	text TEXT NOT NULL, 
	reason TEXT, 
	facts JSON, 
	memory JSON, 
	frame_pts JSON NOT NULL, 
	waiting_ms FLOAT NOT NULL, 
	decode_ms FLOAT NOT NULL, 
	vision_ms FLOAT NOT NULL, 
	prefill_ms FLOAT NOT NULL, 
	generate_ms FLOAT NOT NULL, 
	total_ms FLOAT NOT NULL, 
	tokens_in INTEGER, 
	tokens_out INTEGER, 
	created_ms BIGINT NOT NULL, 
	CONSTRAINT pk_segments PRIMARY KEY (job_id, "index"), 
	CONSTRAINT fk_segments_job_id_jobs FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE CASCADE
);
INSERT INTO "segments" VALUES('ozmckh3s5uyq47m7',0,0,4000,'said','No object recognised; a large part of the picture changes; then a new view: a car at the left; most of the picture changes.',NULL,'{"label": "object tags, not a vision-language model", "views": [{"light": "normal", "objects": [], "moving": [["left", "middle", "right"]]}, {"light": "normal", "objects": [{"name": "car", "counts": [1, 1], "score": 0.608}], "moving": [["left", "middle", "right"]]}], "text": []}','{"light": "normal", "objects": [{"name": "car", "box": [0.0016, 0.5135, 0.3831, 0.9853]}], "counts": {"car": 1}, "moving": ["left", "middle", "right"], "moving_share": 0.6936, "lines": [], "picture": "OjcxUUxGNjcySUdDPj46TkxIODo2LDEvPkA8R0Q8XFZMhH1xsKuitbCos7GoraujRkE4raacg31zlY2Ck42CeG9iamhigYF9fn13QT43MzMtMzQxKzMxKzMyOEA/ZGhlamJXrqebqaacjIiAwsG+Tk9KSExMT1JTjIqAV1ZQY2ReRklFSEpEKiwpKCspSUxIP0NBU1ZUxcS9TFFPbG9siImDYGJjW1pYWllTRURBNDMwLS0rLS4rKispKywqLC0rMTU0Nzw6jYl8gH52YmVjXl5aW1tYWlVQVlFOWlVSWVJPW1RSXVxZMzUyLSwmKi0nZ2lmd3t4ycjFkIyFOzw3KionLC4rUkxHUUA+UD06UD88TkA9TkZCJCcmJSciNTcvZGFZY2VhWFVPLi4pLS8pKConIyUjLzAtNjUzNjUzMjEvMjIvLi4rKi0pTkxDU1RLa2VWRkM9UEpAdWxbbGVWWFhSPkA8WllVcW9shIF+k4+Mn5uYr6qlyMW/9PX3+Pr9Gx0ZHR4ZJCUgMzIrXVxVtbe0v8G+wsXEwsTDwcTCv8K+vsC8vL66ury4ubu4ubq3"}','[0, 12800, 25600, 38400]',2.53549636999878202914e+02,3.03062520001731172669e+01,5.07226272000025346642e+02,0.0,0.252645000045959,7.92075984999883075943e+02,NULL,NULL,1795545769141);
INSERT INTO "segments" VALUES('ozmckh3s5uyq47m7',1,4000,8000,'said','A new view: no object recognised; then a new view: part of a person in the middle; then a new view: at least 3 cars; a large part of the picture changes.',NULL,'{"label": "object tags, not a vision-language model", "views": [{"light": "normal", "objects": [], "moving": []}, {"light": "normal", "objects": [{"name": "person", "counts": [1], "score": 0.811}], "moving": []}, {"light": "normal", "objects": [{"name": "car", "counts": [3, 3], "score": 0.619}], "moving": [["left", "middle", "right"]]}], "text": []}','{"light": "normal", "objects": [{"name": "car", "box": [0.8177, 0.3657, 0.9407, 0.5899]}, {"name": "car", "box": [0.5841, 0.431, 0.6941, 0.5968]}], "counts": {"car": 3}, "moving": ["left", "middle", "right"], "moving_share": 0.2144, "lines": [{"text": "", "box": [0.4625, 0.4118, 0.5703, 0.4779], "print": "qJiNrsXJvK3DxsKoioWeqJihoYd0f4J3YlplZ2dqbW5sc1hKQjw+O2mYkrTFxsGlx8nMonWAoq6TsLisiKCyrHuInKihsbyym7m2wptDR0I5TIm9tKeejauZo4eMop6LeZiPiYKjpYltgoGZlqmtl3t7epSAREA+LjE0VI6lnYV9eHl9ho6WkYqYj4ODioiEhoyIiIqMioWDgYGBfH59fA=="}], "picture": "YVpYWFFOZF1baF9dfHFriYSCiISCh4SEsK6uw8HAvL2+u7y+p6anend1a2BaZWBaTk1QSERBWFNQTkxLcmtol5KQYF1bhYB+h3BokXpvta+qpZqVd29rZllWb2pkREE+R0NDTUZEWU9LZWBdVlFOcGplZF5bhH57fnVwgHRtgXhxgXdxcmpiZltYY11YTUlFX2BhVUxKWE9NSEtMRkZGQkNCLC4tZmViZ2djZV9cfHl3XltWXllTY2NibGpnXFhSP0A8g2tii4R5ioV9WFVUU1JPJCgnW1VLlZGJb2ZhYFlZNjk2a2pmUVNPRkdDOz46gH13W1tVpqKcrqqla2pmUVFOJysoeXBmhIF7k4+KeHZwSUxHpKCYZmVfb21oVVVNp6OcmJWNY2NcnpyVgoF7hYJ9MDUwh4J7tbCqbmxlsq2lVllSsaujjImDkpGKb3FrqKScrKigpqKaQUM7nZmShoJ9MzUtjIR8mJSNs62ljIiBV1lSmpiSsKyloJ2VWFxUqaaframihoR8jIiAYV5Wj4uFNTkxenVtsKykr6qjkIyGSktEkI6GjYt/iYd5VFNE"}','[51200, 64000, 76800, 89600]',1.49946500005171401426e+00,3.72361760000785579904e+01,4.53327570999817908159e+02,0.0,1.75801000068531720899e-01,4.57669063000139431096e+02,NULL,NULL,1795545769604);
INSERT INTO "segments" VALUES('ozmckh3s5uyq47m7',2,8000,10000,'said','A new view: no object recognised; a large part of the picture changes.',NULL,'{"label": "object tags, not a vision-language model", "views": [{"light": "normal", "objects": [], "moving": [["left", "middle", "right"]]}], "text": []}','{"light": "normal", "objects": [], "counts": {}, "moving": ["left", "middle", "right"], "moving_share": 0.322, "lines": [], "picture": "vLSocG5oTU5QYWNioKCb3t3U09LIeHRtWlxYVllWRUdFPD88PD88MTQxOz44YmNZpJ6Tc3BqS01OWl1clJKNzszByMa8f3xzYmJdSUpGX19aZWRdYWFbZmhhW11XT1JLo6CWenZvS0xNWVtajIuGxsO6s7GpqqqlamtpQUJAVldTV1lVRkhDREZCRUhDVlpTi4qAi4mDUVNSWFpapKSegYqFj5CKjIuFTk1KT1BOX2FeVVhVWFpYYmRgaGplfoJ6dXZuk5GIaWhiZGNehYV/SU1GhYiBY2NeU1NOJigoKiwsISMiMTMyHB0cR0pFd3pxioh+kI2Ci4h/gX51gX10TU9Je3xzSEhERkhGV1hVIyQkJCUkIiUjKSonS0xHdnlwoJ6Vp6OYq6idraicqaSZWVxViYh+lpSLd3VuXl1YSEhESklFPj87Pz05WlpTd3hum5mNoZ6To6GWp6KWqaSZVVtUjIuBq6idr62jr66iq6eaqaWZpqOZoJ2TmZiOkZGFj46CkpGEn6CVpKKVqKWZVFpVkJCHqqOVq6idsa+ksq2hsqyftbCjtK6gsKmYqqeX"}','[102400, 115200]',8.25355000188210397027e-01,1.69747789998382359044e+01,2.29937788000142973032e+02,0.0,1.59015999997791368514e-01,2.33149965000166048412e+02,NULL,NULL,1795545769844);
INSERT INTO "segments" VALUES('5avnt47fhzvcecye',4,2000,2500,'said','A car at the left.',NULL,'{"label": "object tags, not a vision-language model", "views": [{"light": "normal", "objects": [{"name": "car", "counts": [1], "score": 0.608}], "moving": []}], "text": []}','{"light": "normal", "objects": [{"name": "car", "box": [0.0016, 0.5135, 0.3831, 0.9853]}], "counts": {"car": 1}, "moving": [], "moving_share": 0.0, "lines": [], "picture": "Gx8gHSEeS0c/RUI8QEA7QkE9Pz47SklELjAuLTExamlgPTs1WlRKk46FpKCYpaCZGyAgLC4qYVlMlZGJd3JqbWZbdnFpn5uRUk5HYGBdWFVNODYxKCklTlFPUVRTSk1ORUM+RkI6fXJisaiZy8nBioV4tLSvkJCJQENEW19cWllUOzo1JigkLjIzMjg5Mjg5cnBoiYqHSk5MTVBQyMnEbXNtQ0hIqKmhYWNicnV0eXp2MC8qIyUiKS0uKi4wOT8/REZEqqifRUdEOz8/b25lk5GIbHBwtbSvZGJZNDY2Pjs2MC8qICMfJissJywuJSosop+ZnJqUfn98eXx6sLCswLuwcHFsiYJza2JTODYyTEY/MjMvHyIgOz8/ODs7MjU2VlhYXmBfaWxqbG5rd3ZwfnBeVVNMdW9jcmtdNzgypaCWMjIsHyEdamxob3FudXh0Mzg5Q0lIQ0hJUVVXZGRidWhXMC4pWlNGZl1PgHVmf3xwWFVJJCYhOjw5cHNvSU1LLjI0OkA/OkBAQUZITlJSYl9aNTMuYFdLfXBeV1BFRkE3XlVHT09HQkE8amtlKi0s"}','[25600]',2.77216415999873788678e+02,2.27453630000127304811e+01,2.71328809999886289006e+02,0.0,1.44703999922057846561e-01,5.50221562999922753078e+02,NULL,NULL,1795545770478);
INSERT INTO "segments" VALUES('5avnt47fhzvcecye',0,0,500,'said','No object recognised.',NULL,'{"label": "object tags, not a vision-language model", "views": [{"light": "normal", "objects": [], "moving": []}], "text": []}','{"light": "normal", "objects": [], "counts": {}, "moving": [], "moving_share": 0.0, "lines": [{"text": "", "box": [0.0688, 0.6544, 0.1234, 0.8199], "print": "YWFhYmJiYmJiYWFhYVxfYWJjZGRkZGRiY2RlZGRjYWFhYWFhYWFgX2FhYWFhYmJiYFxcZGRudXd4d3RycmlhbHR2cnFxc3Z5cmxmY2NhYWFeXl5eXmBbV15nb3JycnFvbF1fbGxpam9ydnh3d3RtaGRiYWBgYGBgXl9cVVVUWV5hYmJiYmJhX15hYmFhYWJlaGdiY2NjX19eXl5eXl9fXw=="}], "picture": "cGRdcmdfcGVebmNcaF1YfHNxxcLDqaGji3t51dHW5+Xpg3VscmdgaF1Wa2FabGNcb2RdcGVecGVebWJcZVxWhH17xcPEoZiYgG9s1dHW6ejtiXtyfG9mcGVecGZfb2ZebmNcb2RdbmRca2BaZFpVjYaFxcPEmpGTa11c08/S4t/kkYR8fnJodGhhcGZfbmVfbmNcbWJbbGFbaV9ZY1lTlY+OxMLDxsPFx8LE19TY1NDRmY2GgXNpdWpib2VdbmVeamBZa2BZa2FaaF5YYVdRnZeXw8HCycbI0M3R29nd8vL1oJWOgXNodWlibWRcbGNdbGFaa2BZaV5XZVtUX1RPo5+gwsDByMbI0M3R19TY5uXpppyXgHFmdGlhbGJbamFbaF1Xd2JRZ11WZFpTW1JMrKipwL6/xsTFzsvO09DU2tfcqqGdf3BmdGhha2BaZ15YZlxVaFtUZVpVYFZQWlFLsa2vvrq8xMLDw8DAzcrMzsjJrqWifnBmc2hfaV9YZVxWYlhTY1pUYVdRXFNNXFNQs6+xu7i5wLy+u7SzrqqokYV9sKilkIF2dGhfbGFaYllT"}','[0]',2.15924022999843145953e+02,3.60858499993810255546e+00,3.42693299000075057847e+02,0.0,9.76949997948395321145e-02,5.73815133999914905871e+02,NULL,NULL,1795545770500);
INSERT INTO "segments" VALUES('yz34kzl7koohaxkp',0,0,500,'said','No object recognised.',NULL,'{"label": "object tags, not a vision-language model", "views": [{"light": "normal", "objects": [], "moving": []}], "text": []}','{"light": "normal", "objects": [], "counts": {}, "moving": [], "moving_share": 0.0, "lines": [{"text": "", "box": [0.0688, 0.6544, 0.1234, 0.8199], "print": "YWFhYmJiYmJiYWFhYVxfYWJjZGRkZGRiY2RlZGRjYWFhYWFhYWFgX2FhYWFhYmJiYFxcZGRudXd4d3RycmlhbHR2cnFxc3Z5cmxmY2NhYWFeXl5eXmBbV15nb3JycnFvbF1fbGxpam9ydnh3d3RtaGRiYWBgYGBgXl9cVVVUWV5hYmJiYmJhX15hYmFhYWJlaGdiY2NjX19eXl5eXl9fXw=="}], "picture": "cGRdcmdfcGVebmNcaF1YfHNxxcLDqaGji3t51dHW5+Xpg3VscmdgaF1Wa2FabGNcb2RdcGVecGVebWJcZVxWhH17xcPEoZiYgG9s1dHW6ejtiXtyfG9mcGVecGZfb2ZebmNcb2RdbmRca2BaZFpVjYaFxcPEmpGTa11c08/S4t/kkYR8fnJodGhhcGZfbmVfbmNcbWJbbGFbaV9ZY1lTlY+OxMLDxsPFx8LE19TY1NDRmY2GgXNpdWpib2VdbmVeamBZa2BZa2FaaF5YYVdRnZeXw8HCycbI0M3R29nd8vL1oJWOgXNodWlibWRcbGNdbGFaa2BZaV5XZVtUX1RPo5+gwsDByMbI0M3R19TY5uXpppyXgHFmdGlhbGJbamFbaF1Xd2JRZ11WZFpTW1JMrKipwL6/xsTFzsvO09DU2tfcqqGdf3BmdGhha2BaZ15YZlxVaFtUZVpVYFZQWlFLsa2vvrq8xMLDw8DAzcrMzsjJrqWifnBmc2hfaV9YZVxWYlhTY1pUYVdRXFNNXFNQs6+xu7i5wLy+u7SzrqqokYV9sKilkIF2dGhfbGFaYllT"}','[0]',2.25429779000023700064e+02,5.04305399999793735332e+00,2.18090668000058940378e+02,0.0,9.55719999637949513271e-02,4.45080292000056942924e+02,NULL,NULL,1795545771280);
INSERT INTO "segments" VALUES('yz34kzl7koohaxkp',4,2000,2500,'said','A car at the left.',NULL,'{"label": "object tags, not a vision-language model", "views": [{"light": "normal", "objects": [{"name": "car", "counts": [1], "score": 0.608}], "moving": []}], "text": []}','{"light": "normal", "objects": [{"name": "car", "box": [0.0016, 0.5135, 0.3831, 0.9853]}], "counts": {"car": 1}, "moving": [], "moving_share": 0.0, "lines": [], "picture": "Gx8gHSEeS0c/RUI8QEA7QkE9Pz47SklELjAuLTExamlgPTs1WlRKk46FpKCYpaCZGyAgLC4qYVlMlZGJd3JqbWZbdnFpn5uRUk5HYGBdWFVNODYxKCklTlFPUVRTSk1ORUM+RkI6fXJisaiZy8nBioV4tLSvkJCJQENEW19cWllUOzo1JigkLjIzMjg5Mjg5cnBoiYqHSk5MTVBQyMnEbXNtQ0hIqKmhYWNicnV0eXp2MC8qIyUiKS0uKi4wOT8/REZEqqifRUdEOz8/b25lk5GIbHBwtbSvZGJZNDY2Pjs2MC8qICMfJissJywuJSosop+ZnJqUfn98eXx6sLCswLuwcHFsiYJza2JTODYyTEY/MjMvHyIgOz8/ODs7MjU2VlhYXmBfaWxqbG5rd3ZwfnBeVVNMdW9jcmtdNzgypaCWMjIsHyEdamxob3FudXh0Mzg5Q0lIQ0hJUVVXZGRidWhXMC4pWlNGZl1PgHVmf3xwWFVJJCYhOjw5cHNvSU1LLjI0OkA/OkBAQUZITlJSYl9aNTMuYFdLfXBeV1BFRkE3XlVHT09HQkE8amtlKi0s"}','[25600]',2.96885183999847868108e+02,2.01958789998570864554e+01,3.26582650999853285611e+02,0.0,1.34910000042509636841e-01,6.24961160999873754917e+02,NULL,NULL,1795545771545);
INSERT INTO "segments" VALUES('yz34kzl7koohaxkp',1,500,1000,'said','The picture has changed in the middle and at the right.',NULL,'{"label": "object tags, not a vision-language model", "views": [{"light": "normal", "objects": [], "moving": []}], "text": []}','{"light": "normal", "objects": [], "counts": {}, "moving": [], "moving_share": 0.0, "lines": [{"text": "", "box": [0.3656, 0.0, 0.6656, 0.9963], "print": "uru9v8HCw8TGx8fGxsW6paKhoKChoqKkp6/E09PT1NXW19jY2dnc4Lu9v8HDxMXGx8fIycnKysrLzM3P0dLS0dLT1NbX19fX2dvd3+Dh4eO7vb/AwcLCw8XFxsfIx8fHyMnKzM3Ozs/Q0dDT1dPU19nb3N3e3t/gubq7u7y8vL29vsDBuqKipKWlpKSnqKioqaqtvMfMzc7Q0dPU1NXW2A=="}], "picture": "eWtie2xkd2tjcmZga2BafXVyw7/Bpp+hdmlq08/T39zheW1mXVRPLCYmKiUmVUtHcmdfc2hhc2hhb2RdZ11XhX57xMHDzMnN0c7T19TY4t/lfnNtaF5YUkpGUktHZ15XcGVecGVecGVebGJbZFtVjIWExcHDzcrO09HW2NXa4+LnjYF5d2pjamBYaV9YbGNcb2RdbWJbbWJcamBZY1lSk42MxcLDy8jM0s/U2dfc5uXqmY2Gf3Joc2dfbWJbbWRda2FabGFaa2FaaF5XYVdRm5aVxMLEy8jM0c7R2Nbb4+LnoZaQgXJodGlhbWNbbGNcbGFba2BaaV9XZVtUXlROoJydxMHDycbK0c7S19Xa4uHmqJ6agHFndGlhbGJbamFbaF5Xd2JRZ11WZFlTW1FMqKOlwb7AxsTFzsvO1tPX393irqShfnBmc2hgamBZZ15YZVxVaFtUZFtVYFdRWU9Krqqsvru9xcLDycbI0s7S29jdsqmnfW9lc2dfaF5XZFtVYlhTY1pUYVdSXVROWVBNsa6vvbm7l46PhHd2wry+1NHVta2skIF2c2dfa2BZYVhS"}','[6656]',3.94455400009974255226e+00,1.30671809999967081239e+01,3.00295262999952683458e+02,0.0,1.20298999945589457638e-01,3.06240985999920667381e+02,NULL,NULL,1795545771601);
INSERT INTO "segments" VALUES('yz34kzl7koohaxkp',5,2500,3000,'said','The picture has changed all across the picture.',NULL,'{"label": "object tags, not a vision-language model", "views": [{"light": "normal", "objects": [{"name": "car", "counts": [1], "score": 0.44}], "moving": []}], "text": []}','{"light": "normal", "objects": [{"name": "car", "box": [0.0016, 0.5135, 0.3831, 0.9853]}], "counts": {"car": 1}, "moving": [], "moving_share": 0.0, "lines": [], "picture": "GRweHiIhR0M8TUpDOzs3RUM/Pj06TUtHLjEvKy8vVFRMQ0A6V1FHmZOIq6efqaegGh8eKSsoVk9EtK6klY+HhHtumpWMlI2CYl9adXVwaGJXPDkzJygkPUA/RklKQkVGQDw4SUQ9dm5hsaqesq+neHZuubu3X2BcQkVHRUlKa2piOjkzKComKzAwMjg5NTs8XlVTVE9NUUpLX1xbra2pREhHVVlYl5iQcHJxe318m5ePOzozJSckKCwsKS0vNDo6PjQyPzUzQzg3QTo5NDUzj42Gf4F/zMnCSklFOjk2b2NSOTgyIyUiJiosKCwuJystKykmNzQwSUQ/S0hBZWFanZiOlI+GmZGFfndwaWZhZF9VLy8qICMgR0lJREdHOTs8V1ROhIJ7paWgrrCstbe2ubq5vL69w8XEyszL0dPSz9DOn56aS0xHY2VgZWdjMzU0ZGdlZGZlY2VkY2VlZGZkZWdnZmhmaWppbG1sbnBvc3Rzent4ent3c3RvMjQtHiEdLDAwLjEzMDQ1MjY4Mzc4MzY5Njk7PUFDQkVHR0pMSk1PTVJTWF1eWVxbaWleGx4Z"}','[32256]',2.90732400003435031976e+00,1.38446040000417269766e+01,3.81088312999963818583e+02,0.0,1.09262000023591099306e-01,3.89352156000086324638e+02,NULL,NULL,1795545771957);
INSERT INTO "segments" VALUES('yz34kzl7koohaxkp',2,1000,1500,'said','The picture has changed in the middle and at the right.',NULL,'{"label": "object tags, not a vision-language model", "views": [{"light": "normal", "objects": [], "moving": []}], "text": []}','{"light": "normal", "objects": [], "counts": {}, "moving": [], "moving_share": 0.0, "lines": [{"text": "", "box": [0.3891, 0.0, 0.6438, 0.9816], "print": "vb6/wMHBwsLCxMXHx8XDw8TFxMXFxcXGyMvO0NLT1dbX2Nrb3d7f4b6/wMHCw8TFxsfIycbAwMHCw8PFx8nJycnKys3S1NXW19jZ2tzd3d6/wMHCwsPDwb+9uKtuTFhaWlxeXl5gYmRlZWZvldDS0tHR0dLU1dbWu7y9vr+/vr28urane3F0dHNyc3R0dHR1d3l7g5DGy8zMzMzNztDQ0A=="}], "picture": "fW5jgnFnhHRph3ZriXhtmY2HwL2/wr2/wLq62NXa4+HmdWpkVE1JVi4vh0BCfDAxfW9kgXFnhXVqhnZrgXJplo2JwL6/y8fK0s/T19Xa6OfseG1nW1NOOSkqRiosSy8wfW5kf3BmgXJofW9mcWVfk4yKwL6/ysfJ09DU2Nbb5uXqg3lzZFpVOzc1LCopTEVBfG5ke2xjd2tjcmdfaF5Yl5GQwsDBy8jK0s/T2NXb5uXqkYaBbmNdWlFMVExIY1pUdWhfdGdfcGVebmNcY1lTnJeXw8DCpZyejX18z8nN393in5WPfG5lbWFaZltVZ19Yc2ZfcGRdbWJbaF1XX1VPoZydwr/BioCBbl1bycPH3NneqJ2Zf3BlcmZfaV5YaF9Za2FaemRTaV9YZVtUW1JMp6OlwL2/hXt8ZldUw73A2dbaraOgfW9kcmdfaV9YZl1XZ11Xal1VZVxWYFdRWU9Krqqsv7y9g3l6WElJv7m709DTsKekfG5kcmdeaF5XZVxVYllTZFpVYlhSXVROWFBLsq2vvbm7urW3urS1y8fI0M3Ps6upjn90cmZeal9YYVhS"}','[12800]',3.64849400011735269799e+00,13.0483230000209,4.69685203999915756867e+02,0.0,0.0885110000581335,4.83885666000105629791e+02,NULL,NULL,1795545772091);
INSERT INTO "segments" VALUES('yz34kzl7koohaxkp',6,3000,3500,'said','The picture has changed all across the picture.',NULL,'{"label": "object tags, not a vision-language model", "views": [{"light": "normal", "objects": [{"name": "car", "counts": [1], "score": 0.313}], "moving": []}], "text": []}','{"light": "normal", "objects": [{"name": "car", "box": [0.0016, 0.5135, 0.3831, 0.9853]}], "counts": {"car": 1}, "moving": [], "moving_share": 0.0, "lines": [], "picture": "OjcxUUxGNjcySUdDPj46TkxIODo2LDEvPkA8R0Q8XFZMhH1xsKuitbCos7GoraujRkE4raacg31zlY2Ck42CeG9iamhigYF9fn13QT43MzMtMzQxKzMxKzMyOEA/ZGhlamJXrqebqaacjIiAwsG+Tk9KSExMT1JTjIqAV1ZQY2ReRklFSEpEKiwpKCspSUxIP0NBU1ZUxcS9TFFPbG9siImDYGJjW1pYWllTRURBNDMwLS0rLS4rKispKywqLC0rMTU0Nzw6jYl8gH52YmVjXl5aW1tYWlVQVlFOWlVSWVJPW1RSXVxZMzUyLSwmKi0nZ2lmd3t4ycjFkIyFOzw3KionLC4rUkxHUUA+UD06UD88TkA9TkZCJCcmJSciNTcvZGFZY2VhWFVPLi4pLS8pKConIyUjLzAtNjUzNjUzMjEvMjIvLi4rKi0pTkxDU1RLa2VWRkM9UEpAdWxbbGVWWFhSPkA8WllVcW9shIF+k4+Mn5uYr6qlyMW/9PX3+Pr9Gx0ZHR4ZJCUgMzIrXVxVtbe0v8G+wsXEwsTDwcTCv8K+vsC8vL66ury4ubu4ubq3"}','[38400]',6.11665600013111543375e+00,9.54601600005844375118e+00,2.60645586999999068211e+02,0.0,1.12255999965782393701e-01,2.6875239600008171692e+02,NULL,NULL,1795545772236);
CREATE TABLE videos (
	id VARCHAR(16) NOT NULL, 
	sha256 VARCHAR(64) NOT NULL, 
	size_bytes BIGINT NOT NULL, 
	created_ms BIGINT NOT NULL, 
	container VARCHAR(64) NOT NULL, 
	codec VARCHAR(64) NOT NULL, 
	stream_index INTEGER NOT NULL, 
	width INTEGER NOT NULL, 
	height INTEGER NOT NULL, 
	time_base VARCHAR(32) NOT NULL, 
	origin_pts BIGINT NOT NULL, 
	last_pts BIGINT NOT NULL, 
	end_pts BIGINT NOT NULL, 
	frame_count BIGINT NOT NULL, 
	has_audio BOOLEAN NOT NULL, 
	mime_type VARCHAR(32) NOT NULL, 
	warnings JSON NOT NULL, 
	CONSTRAINT pk_videos PRIMARY KEY (id), 
	CONSTRAINT uq_videos_sha256 UNIQUE (sha256)
);
INSERT INTO "videos" VALUES('nyfv4lksg6ebikrp','91028f9d6c72cc8137d8bd05678bdfcf5ab7c8fd9d7b77de70ce7a3ade257bb5',509868,1795545768171,'mov,mp4,m4a,3gp,3g2,mj2','h264',0,640,272,'1/12800',0,127488,128000,250,0,'video/mp4','[]');
CREATE INDEX ix_jobs_created_ms ON jobs (created_ms);
CREATE INDEX ix_jobs_state_priority ON jobs (state, priority);
CREATE INDEX ix_jobs_video_id ON jobs (video_id);
CREATE INDEX ix_chunks_lease_until_ms ON chunks (lease_until_ms);
CREATE INDEX ix_segments_job_id_created_ms ON segments (job_id, created_ms);
COMMIT;

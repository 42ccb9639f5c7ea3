CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO alembic_version VALUES ('0017');
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
	warnings JSON NOT NULL, removed_ms BIGINT, 
	CONSTRAINT pk_videos PRIMARY KEY (id), 
	CONSTRAINT uq_videos_sha256 UNIQUE (sha256)
);
INSERT INTO videos VALUES ('avlnoguxlz2mutvf','91028f9d6c72cc8137d8bd05678bdfcf5ab7c8fd9d7b77de70ce7a3ade257bb5',509868,1795890186895,'mov,mp4,m4a,3gp,3g2,mj2','h264',0,640,272,'1/12800',0,127488,128000,250,0,'video/mp4','[]',NULL);
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
	hinted_ms BIGINT NOT NULL, networks JSON DEFAULT '[]' NOT NULL, source_id VARCHAR(16), windows_taken INTEGER DEFAULT '0' NOT NULL, stage INTEGER DEFAULT '1' NOT NULL, was_done BOOLEAN DEFAULT 0 NOT NULL, stills_removed BOOLEAN DEFAULT 0 NOT NULL, sources JSON DEFAULT '[]' NOT NULL, 
	CONSTRAINT pk_jobs PRIMARY KEY (id), 
	CONSTRAINT fk_jobs_video_id_videos FOREIGN KEY(video_id) REFERENCES videos (id)
);
INSERT INTO jobs VALUES ('jtnwnfxyvvt5qd7n','avlnoguxlz2mutvf','done.mp4','builtin','{"commentator": "builtin", "capture_fps": "2", "frames_per_inference": 4, "frame_stride": 2, "window_hop": 8, "change_threshold": 0.0, "max_new_tokens": 96, "summary": 0, "transcript": 0}',3,'done',0,1795890186897,1795890187090,1795890188691,NULL,1601,NULL,NULL,NULL,1,1795890187090,'[]',NULL,0,1,1,0,'[]');
INSERT INTO jobs VALUES ('nrymgltj3bia75ay','avlnoguxlz2mutvf','cancelled.mp4','builtin','{"commentator": "builtin", "capture_fps": "2", "frames_per_inference": 1, "frame_stride": 1, "window_hop": 1, "change_threshold": 0.0, "max_new_tokens": 96, "summary": 0, "transcript": 0}',20,'cancelled',0,1795890188752,1795890188780,1795890189537,NULL,757,NULL,NULL,NULL,1,1795890188789,'[]',NULL,0,1,0,0,'[]');
INSERT INTO jobs VALUES ('iaegqho4f4jexqax','avlnoguxlz2mutvf','open.mp4','builtin','{"commentator": "builtin", "capture_fps": "2", "frames_per_inference": 1, "frame_stride": 1, "window_hop": 1, "change_threshold": 0.0, "max_new_tokens": 96, "summary": 0, "transcript": 0}',20,'running',0,1795890189577,1795890189846,NULL,1795890189846,0,NULL,NULL,NULL,1,1795890191072,'[]',NULL,0,1,0,0,'[]');
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
	created_ms BIGINT NOT NULL, correction TEXT, revision INTEGER DEFAULT '0' NOT NULL, corrected_by VARCHAR(80), corrected_ms BIGINT, taken_from VARCHAR(16), 
	CONSTRAINT pk_segments PRIMARY KEY (job_id, "index"), 
	CONSTRAINT fk_segments_job_id_jobs FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE CASCADE
);
INSERT INTO segments VALUES ('jtnwnfxyvvt5qd7n',0,0,4000,'said','No object recognised; a large part of the picture changes; then a new view: a car at the left; most of the picture changes.',NULL,'{"label": "object tags, not a vision-language model", "views": [{"light": "normal", "objects": [], "moving": [["left", "middle", "right"]]}, {"light": "normal", "objects": [{"name": "car", "counts": [1, 1], "score": 0.608}], "moving": [["left", "middle", "right"]]}], "text": []}','{"light": "normal", "objects": [{"name": "car", "box": [0.0016, 0.5135, 0.3831, 0.9853]}], "counts": {"car": 1}, "moving": ["left", "middle", "right"], "moving_share": 0.6936, "lines": [], "picture": "OjcxUUxGNjcySUdDPj46TkxIODo2LDEvPkA8R0Q8XFZMhH1xsKuitbCos7GoraujRkE4raacg31zlY2Ck42CeG9iamhigYF9fn13QT43MzMtMzQxKzMxKzMyOEA/ZGhlamJXrqebqaacjIiAwsG+Tk9KSExMT1JTjIqAV1ZQY2ReRklFSEpEKiwpKCspSUxIP0NBU1ZUxcS9TFFPbG9siImDYGJjW1pYWllTRURBNDMwLS0rLS4rKispKywqLC0rMTU0Nzw6jYl8gH52YmVjXl5aW1tYWlVQVlFOWlVSWVJPW1RSXVxZMzUyLSwmKi0nZ2lmd3t4ycjFkIyFOzw3KionLC4rUkxHUUA+UD06UD88TkA9TkZCJCcmJSciNTcvZGFZY2VhWFVPLi4pLS8pKConIyUjLzAtNjUzNjUzMjEvMjIvLi4rKi0pTkxDU1RLa2VWRkM9UEpAdWxbbGVWWFhSPkA8WllVcW9shIF+k4+Mn5uYr6qlyMW/9PX3+Pr9Gx0ZHR4ZJCUgMzIrXVxVtbe0v8G+wsXEwsTDwcTCv8K+vsC8vL66ury4ubu4ubq3"}','[0, 12800, 25600, 38400]',2.93363894999856711365e+02,5.89538280000851955264e+01,5.9335165099992082105e+02,0.0,2.03392999992502154782e-01,9.04235067999707098351e+02,NULL,NULL,1795890188011,NULL,0,NULL,NULL,NULL);
INSERT INTO segments VALUES ('jtnwnfxyvvt5qd7n',1,4000,8000,'said','A new view: no object recognised; then a new view: part of a person in the middle; then a new view: at least 3 cars; a large part of the picture changes.',NULL,'{"label": "object tags, not a vision-language model", "views": [{"light": "normal", "objects": [], "moving": []}, {"light": "normal", "objects": [{"name": "person", "counts": [1], "score": 0.811}], "moving": []}, {"light": "normal", "objects": [{"name": "car", "counts": [3, 3], "score": 0.619}], "moving": [["left", "middle", "right"]]}], "text": []}','{"light": "normal", "objects": [{"name": "car", "box": [0.8177, 0.3657, 0.9407, 0.5899]}, {"name": "car", "box": [0.5841, 0.431, 0.6941, 0.5968]}], "counts": {"car": 3}, "moving": ["left", "middle", "right"], "moving_share": 0.2144, "lines": [{"text": "", "box": [0.4625, 0.4118, 0.5703, 0.4779], "print": "qJiNrsXJvK3DxsKoioWeqJihoYd0f4J3YlplZ2dqbW5sc1hKQjw+O2mYkrTFxsGlx8nMonWAoq6TsLisiKCyrHuInKihsbyym7m2wptDR0I5TIm9tKeejauZo4eMop6LeZiPiYKjpYltgoGZlqmtl3t7epSAREA+LjE0VI6lnYV9eHl9ho6WkYqYj4ODioiEhoyIiIqMioWDgYGBfH59fA=="}], "picture": "YVpYWFFOZF1baF9dfHFriYSCiISCh4SEsK6uw8HAvL2+u7y+p6anend1a2BaZWBaTk1QSERBWFNQTkxLcmtol5KQYF1bhYB+h3BokXpvta+qpZqVd29rZllWb2pkREE+R0NDTUZEWU9LZWBdVlFOcGplZF5bhH57fnVwgHRtgXhxgXdxcmpiZltYY11YTUlFX2BhVUxKWE9NSEtMRkZGQkNCLC4tZmViZ2djZV9cfHl3XltWXllTY2NibGpnXFhSP0A8g2tii4R5ioV9WFVUU1JPJCgnW1VLlZGJb2ZhYFlZNjk2a2pmUVNPRkdDOz46gH13W1tVpqKcrqqla2pmUVFOJysoeXBmhIF7k4+KeHZwSUxHpKCYZmVfb21oVVVNp6OcmJWNY2NcnpyVgoF7hYJ9MDUwh4J7tbCqbmxlsq2lVllSsaujjImDkpGKb3FrqKScrKigpqKaQUM7nZmShoJ9MzUtjIR8mJSNs62ljIiBV1lSmpiSsKyloJ2VWFxUqaaframihoR8jIiAYV5Wj4uFNTkxenVtsKykr6qjkIyGSktEkI6GjYt/iYd5VFNE"}','[51200, 64000, 76800, 89600]',2.5155180001092958264e+00,1.31718271999943681294e+02,4.67665574999955424573e+02,0.0,1.7766500013749464415e-01,472.710521999943,NULL,NULL,1795890188490,NULL,0,NULL,NULL,NULL);
INSERT INTO segments VALUES ('jtnwnfxyvvt5qd7n',2,8000,10000,'said','A new view: no object recognised; a large part of the picture changes.',NULL,'{"label": "object tags, not a vision-language model", "views": [{"light": "normal", "objects": [], "moving": [["left", "middle", "right"]]}], "text": []}','{"light": "normal", "objects": [], "counts": {}, "moving": ["left", "middle", "right"], "moving_share": 0.322, "lines": [], "picture": "vLSocG5oTU5QYWNioKCb3t3U09LIeHRtWlxYVllWRUdFPD88PD88MTQxOz44YmNZpJ6Tc3BqS01OWl1clJKNzszByMa8f3xzYmJdSUpGX19aZWRdYWFbZmhhW11XT1JLo6CWenZvS0xNWVtajIuGxsO6s7GpqqqlamtpQUJAVldTV1lVRkhDREZCRUhDVlpTi4qAi4mDUVNSWFpapKSegYqFj5CKjIuFTk1KT1BOX2FeVVhVWFpYYmRgaGplfoJ6dXZuk5GIaWhiZGNehYV/SU1GhYiBY2NeU1NOJigoKiwsISMiMTMyHB0cR0pFd3pxioh+kI2Ci4h/gX51gX10TU9Je3xzSEhERkhGV1hVIyQkJCUkIiUjKSonS0xHdnlwoJ6Vp6OYq6idraicqaSZWVxViYh+lpSLd3VuXl1YSEhESklFPj87Pz05WlpTd3hum5mNoZ6To6GWp6KWqaSZVVtUjIuBq6idr62jr66iq6eaqaWZpqOZoJ2TmZiOkZGFj46CkpGEn6CVpKKVqKWZVFpVkJCHqqOVq6idsa+ksq2hsqyftbCjtK6gsKmYqqeX"}','[102400, 115200]',1.20776000039768405258e+00,4.88272499997037812136e+01,1.82715105000170296989e+02,0.0,1.66579000051569892093e-01,1.85077555000134452711e+02,NULL,NULL,1795890188678,NULL,0,NULL,NULL,NULL);
INSERT INTO segments VALUES ('nrymgltj3bia75ay',0,0,500,'said','No object recognised.',NULL,'{"label": "object tags, not a vision-language model", "views": [{"light": "normal", "objects": [], "moving": []}], "text": []}','{"light": "normal", "objects": [], "counts": {}, "moving": [], "moving_share": 0.0, "lines": [{"text": "", "box": [0.0688, 0.6544, 0.1234, 0.8199], "print": "YWFhYmJiYmJiYWFhYVxfYWJjZGRkZGRiY2RlZGRjYWFhYWFhYWFgX2FhYWFhYmJiYFxcZGRudXd4d3RycmlhbHR2cnFxc3Z5cmxmY2NhYWFeXl5eXmBbV15nb3JycnFvbF1fbGxpam9ydnh3d3RtaGRiYWBgYGBgXl9cVVVUWV5hYmJiYmJhX15hYmFhYWJlaGdiY2NjX19eXl5eXl9fXw=="}], "picture": "cGRdcmdfcGVebmNcaF1YfHNxxcLDqaGji3t51dHW5+Xpg3VscmdgaF1Wa2FabGNcb2RdcGVecGVebWJcZVxWhH17xcPEoZiYgG9s1dHW6ejtiXtyfG9mcGVecGZfb2ZebmNcb2RdbmRca2BaZFpVjYaFxcPEmpGTa11c08/S4t/kkYR8fnJodGhhcGZfbmVfbmNcbWJbbGFbaV9ZY1lTlY+OxMLDxsPFx8LE19TY1NDRmY2GgXNpdWpib2VdbmVeamBZa2BZa2FaaF5YYVdRnZeXw8HCycbI0M3R29nd8vL1oJWOgXNodWlibWRcbGNdbGFaa2BZaV5XZVtUX1RPo5+gwsDByMbI0M3R19TY5uXpppyXgHFmdGlhbGJbamFbaF1Xd2JRZ11WZFpTW1JMrKipwL6/xsTFzsvO09DU2tfcqqGdf3BmdGhha2BaZ15YZlxVaFtUZVpVYFZQWlFLsa2vvrq8xMLDw8DAzcrMzsjJrqWifnBmc2hfaV9YZVxWYlhTY1pUYVdRXFNNXFNQs6+xu7i5wLy+u7SzrqqokYV9sKilkIF2dGhfbGFaYllT"}','[0]',1.07701970000562141649e+01,2.15423999998165527358e+00,3.81968601000153284985e+02,0.0,9.57530000960105098783e-02,3.95847360000061598839e+02,NULL,NULL,1795890189182,NULL,0,NULL,NULL,NULL);
INSERT INTO segments VALUES ('nrymgltj3bia75ay',4,2000,2500,'said','A car at the left.',NULL,'{"label": "object tags, not a vision-language model", "views": [{"light": "normal", "objects": [{"name": "car", "counts": [1], "score": 0.608}], "moving": []}], "text": []}','{"light": "normal", "objects": [{"name": "car", "box": [0.0016, 0.5135, 0.3831, 0.9853]}], "counts": {"car": 1}, "moving": [], "moving_share": 0.0, "lines": [], "picture": "Gx8gHSEeS0c/RUI8QEA7QkE9Pz47SklELjAuLTExamlgPTs1WlRKk46FpKCYpaCZGyAgLC4qYVlMlZGJd3JqbWZbdnFpn5uRUk5HYGBdWFVNODYxKCklTlFPUVRTSk1ORUM+RkI6fXJisaiZy8nBioV4tLSvkJCJQENEW19cWllUOzo1JigkLjIzMjg5Mjg5cnBoiYqHSk5MTVBQyMnEbXNtQ0hIqKmhYWNicnV0eXp2MC8qIyUiKS0uKi4wOT8/REZEqqifRUdEOz8/b25lk5GIbHBwtbSvZGJZNDY2Pjs2MC8qICMfJissJywuJSosop+ZnJqUfn98eXx6sLCswLuwcHFsiYJza2JTODYyTEY/MjMvHyIgOz8/ODs7MjU2VlhYXmBfaWxqbG5rd3ZwfnBeVVNMdW9jcmtdNzgypaCWMjIsHyEdamxob3FudXh0Mzg5Q0lIQ0hJUVVXZGRidWhXMC4pWlNGZl1PgHVmf3xwWFVJJCYhOjw5cHNvSU1LLjI0OkA/OkBAQUZITlJSYl9aNTMuYFdLfXBeV1BFRkE3XlVHT09HQkE8amtlKi0s"}','[25600]',4.0859590499985642964e+02,2.63039010001193673815e+01,2.52282336999996914528e+02,0.0,1.52607000018178950995e-01,6.61887745000058203004e+02,NULL,NULL,1795890189461,NULL,0,NULL,NULL,NULL);
INSERT INTO segments VALUES ('iaegqho4f4jexqax',0,0,500,'said','No object recognised.',NULL,'{"label": "object tags, not a vision-language model", "views": [{"light": "normal", "objects": [], "moving": []}], "text": []}','{"light": "normal", "objects": [], "counts": {}, "moving": [], "moving_share": 0.0, "lines": [{"text": "", "box": [0.0688, 0.6544, 0.1234, 0.8199], "print": "YWFhYmJiYmJiYWFhYVxfYWJjZGRkZGRiY2RlZGRjYWFhYWFhYWFgX2FhYWFhYmJiYFxcZGRudXd4d3RycmlhbHR2cnFxc3Z5cmxmY2NhYWFeXl5eXmBbV15nb3JycnFvbF1fbGxpam9ydnh3d3RtaGRiYWBgYGBgXl9cVVVUWV5hYmJiYmJhX15hYmFhYWJlaGdiY2NjX19eXl5eXl9fXw=="}], "picture": "cGRdcmdfcGVebmNcaF1YfHNxxcLDqaGji3t51dHW5+Xpg3VscmdgaF1Wa2FabGNcb2RdcGVecGVebWJcZVxWhH17xcPEoZiYgG9s1dHW6ejtiXtyfG9mcGVecGZfb2ZebmNcb2RdbmRca2BaZFpVjYaFxcPEmpGTa11c08/S4t/kkYR8fnJodGhhcGZfbmVfbmNcbWJbbGFbaV9ZY1lTlY+OxMLDxsPFx8LE19TY1NDRmY2GgXNpdWpib2VdbmVeamBZa2BZa2FaaF5YYVdRnZeXw8HCycbI0M3R29nd8vL1oJWOgXNodWlibWRcbGNdbGFaa2BZaV5XZVtUX1RPo5+gwsDByMbI0M3R19TY5uXpppyXgHFmdGlhbGJbamFbaF1Xd2JRZ11WZFpTW1JMrKipwL6/xsTFzsvO09DU2tfcqqGdf3BmdGhha2BaZ15YZlxVaFtUZVpVYFZQWlFLsa2vvrq8xMLDw8DAzcrMzsjJrqWifnBmc2hfaV9YZVxWYlhTY1pUYVdRXFNNXFNQs6+xu7i5wLy+u7SzrqqokYV9sKilkIF2dGhfbGFaYllT"}','[0]',2.41821629999776632757e+02,5.08512699980201432481e+00,2.22782207999898673733e+02,0.0,9.89370000752387568354e-02,4.67912366999826190294e+02,NULL,NULL,1795890190325,NULL,0,NULL,NULL,NULL);
INSERT INTO segments VALUES ('iaegqho4f4jexqax',1,500,1000,'said','The picture has changed in the middle and at the right.',NULL,'{"label": "object tags, not a vision-language model", "views": [{"light": "normal", "objects": [], "moving": []}], "text": []}','{"light": "normal", "objects": [], "counts": {}, "moving": [], "moving_share": 0.0, "lines": [{"text": "", "box": [0.3656, 0.0, 0.6656, 0.9963], "print": "uru9v8HCw8TGx8fGxsW6paKhoKChoqKkp6/E09PT1NXW19jY2dnc4Lu9v8HDxMXGx8fIycnKysrLzM3P0dLS0dLT1NbX19fX2dvd3+Dh4eO7vb/AwcLCw8XFxsfIx8fHyMnKzM3Ozs/Q0dDT1dPU19nb3N3e3t/gubq7u7y8vL29vsDBuqKipKWlpKSnqKioqaqtvMfMzc7Q0dPU1NXW2A=="}], "picture": "eWtie2xkd2tjcmZga2BafXVyw7/Bpp+hdmlq08/T39zheW1mXVRPLCYmKiUmVUtHcmdfc2hhc2hhb2RdZ11XhX57xMHDzMnN0c7T19TY4t/lfnNtaF5YUkpGUktHZ15XcGVecGVecGVebGJbZFtVjIWExcHDzcrO09HW2NXa4+LnjYF5d2pjamBYaV9YbGNcb2RdbWJbbWJcamBZY1lSk42MxcLDy8jM0s/U2dfc5uXqmY2Gf3Joc2dfbWJbbWRda2FabGFaa2FaaF5XYVdRm5aVxMLEy8jM0c7R2Nbb4+LnoZaQgXJodGlhbWNbbGNcbGFba2BaaV9XZVtUXlROoJydxMHDycbK0c7S19Xa4uHmqJ6agHFndGlhbGJbamFbaF5Xd2JRZ11WZFlTW1FMqKOlwb7AxsTFzsvO1tPX393irqShfnBmc2hgamBZZ15YZVxVaFtUZFtVYFdRWU9Krqqsvru9xcLDycbI0s7S29jdsqmnfW9lc2dfaF5XZFtVYlhTY1pUYVdSXVROWVBNsa6vvbm7l46PhHd2wry+1NHVta2skIF2c2dfa2BZYVhS"}','[6656]',0.636698999642249,2.30520959999012120533e+01,2.22575084999789396533e+02,0.0,1.05496999822207726538e-01,2.24086986999736836878e+02,NULL,NULL,1795890190556,NULL,0,NULL,NULL,NULL);
INSERT INTO segments VALUES ('iaegqho4f4jexqax',2,1000,1500,'said','The picture has changed in the middle and at the right.',NULL,'{"label": "object tags, not a vision-language model", "views": [{"light": "normal", "objects": [], "moving": []}], "text": []}','{"light": "normal", "objects": [], "counts": {}, "moving": [], "moving_share": 0.0, "lines": [{"text": "", "box": [0.3891, 0.0, 0.6438, 0.9816], "print": "vb6/wMHBwsLCxMXHx8XDw8TFxMXFxcXGyMvO0NLT1dbX2Nrb3d7f4b6/wMHCw8TFxsfIycbAwMHCw8PFx8nJycnKys3S1NXW19jZ2tzd3d6/wMHCwsPDwb+9uKtuTFhaWlxeXl5gYmRlZWZvldDS0tHR0dLU1dbWu7y9vr+/vr28urane3F0dHNyc3R0dHR1d3l7g5DGy8zMzMzNztDQ0A=="}], "picture": "fW5jgnFnhHRph3ZriXhtmY2HwL2/wr2/wLq62NXa4+HmdWpkVE1JVi4vh0BCfDAxfW9kgXFnhXVqhnZrgXJplo2JwL6/y8fK0s/T19Xa6OfseG1nW1NOOSkqRiosSy8wfW5kf3BmgXJofW9mcWVfk4yKwL6/ysfJ09DU2Nbb5uXqg3lzZFpVOzc1LCopTEVBfG5ke2xjd2tjcmdfaF5Yl5GQwsDBy8jK0s/T2NXb5uXqkYaBbmNdWlFMVExIY1pUdWhfdGdfcGVebmNcY1lTnJeXw8DCpZyejX18z8nN393in5WPfG5lbWFaZltVZ19Yc2ZfcGRdbWJbaF1XX1VPoZydwr/BioCBbl1bycPH3NneqJ2Zf3BlcmZfaV5YaF9Za2FaemRTaV9YZVtUW1JMp6OlwL2/hXt8ZldUw73A2dbaraOgfW9kcmdfaV9YZl1XZ11Xal1VZVxWYFdRWU9Krqqsv7y9g3l6WElJv7m709DTsKekfG5kcmdeaF5XZVxVYllTZFpVYlhSXVROWFBLsq2vvbm7urW3urS1y8fI0M3Ps6upjn90cmZeal9YYVhS"}','[12800]',3.91828800002258503809e+00,1.26882150002529670018e+01,2.3631056900012481492e+02,0.0,1.05387000076007097959e-01,2.4114701600001353654e+02,NULL,NULL,1795890190800,NULL,0,NULL,NULL,NULL);
INSERT INTO segments VALUES ('iaegqho4f4jexqax',4,2000,2500,'said','A car at the left.',NULL,'{"label": "object tags, not a vision-language model", "views": [{"light": "normal", "objects": [{"name": "car", "counts": [1], "score": 0.608}], "moving": []}], "text": []}','{"light": "normal", "objects": [{"name": "car", "box": [0.0016, 0.5135, 0.3831, 0.9853]}], "counts": {"car": 1}, "moving": [], "moving_share": 0.0, "lines": [], "picture": "Gx8gHSEeS0c/RUI8QEA7QkE9Pz47SklELjAuLTExamlgPTs1WlRKk46FpKCYpaCZGyAgLC4qYVlMlZGJd3JqbWZbdnFpn5uRUk5HYGBdWFVNODYxKCklTlFPUVRTSk1ORUM+RkI6fXJisaiZy8nBioV4tLSvkJCJQENEW19cWllUOzo1JigkLjIzMjg5Mjg5cnBoiYqHSk5MTVBQyMnEbXNtQ0hIqKmhYWNicnV0eXp2MC8qIyUiKS0uKi4wOT8/REZEqqifRUdEOz8/b25lk5GIbHBwtbSvZGJZNDY2Pjs2MC8qICMfJissJywuJSosop+ZnJqUfn98eXx6sLCswLuwcHFsiYJza2JTODYyTEY/MjMvHyIgOz8/ODs7MjU2VlhYXmBfaWxqbG5rd3ZwfnBeVVNMdW9jcmtdNzgypaCWMjIsHyEdamxob3FudXh0Mzg5Q0lIQ0hJUVVXZGRidWhXMC4pWlNGZl1PgHVmf3xwWFVJJCYhOjw5cHNvSU1LLjI0OkA/OkBAQUZITlJSYl9aNTMuYFdLfXBeV1BFRkE3XlVHT09HQkE8amtlKi0s"}','[25600]',2.84942237999985081842e+02,2.35206440002002636902e+01,765.884245000052,0.0,1.2449499990907497704e-01,1.05180647199995291884e+03,NULL,NULL,1795890190916,NULL,0,NULL,NULL,NULL);
INSERT INTO segments VALUES ('iaegqho4f4jexqax',3,1500,2000,'said','A new view: a car at the left.',NULL,'{"label": "object tags, not a vision-language model", "views": [{"light": "normal", "objects": [{"name": "car", "counts": [1], "score": 0.614}], "moving": []}], "text": []}','{"light": "normal", "objects": [{"name": "car", "box": [0.0, 0.3289, 0.3525, 0.9857]}], "counts": {"car": 1}, "moving": [], "moving_share": 0.0, "lines": [], "picture": "IyckODYxSUZAOTk1RkVBQ0I+R0ZCNTc1MTU1VlhUMS4pPzUwcW5niYeBko+Kj42IJSkmRkI6dW9mREM8WVVNVlJLdXFqTkxGREM/REVCNi8pMSwmV1dUZ2hmXF9eVVlWLy8sXFNIvLOkq6SZnpaIrKigtbWzXl1XPj8+Ky0qJyQhJycjLDAwNDo7Mzk6Mjg5cW1mUVFMXmBdg4WCq6yoQEVHfYJ9ent1IyUkGBoXIyMiGxwaKS0tLTM0O0JBQEdGgIJ+kZGKPUJAPUFAmpaLYWJiZ2loioiAGx4bGBoYISEfGRoXISQkKS0vKS4wKS4vODs6cW5hXWBecHNxwL63nJmRampmdG5hGhwZGBoZJiQiGhsZISQjMjY2MTU1MDQ1Oz8+V1RNZ2Zha2xpamZbamBRRkhEVlJKGhwZGhsYISAeGBoXKiwpbnBtbW9sdHd0amtolo18eGxbMS8qNjMtXlNFJCUgQT01HB4cHBwZISAdHB4bGRsYd3l1UVRSW15cMjIwW1NHY1xOHyEdLCsmPDkxLi0oJSUgLikkHh4bHR0bHiAcGBoYVlhSNjk3ISYk"}','[19456]',2.55998500006171525456e+00,4.2378471999654721003e+01,2.09480007999900408321e+02,0.0,1.18968000151653541252e-01,2.13025271000333304982e+02,NULL,NULL,1795890191018,NULL,0,NULL,NULL,NULL);
INSERT INTO segments VALUES ('iaegqho4f4jexqax',5,2500,3000,'said','The picture has changed all across the picture.',NULL,'{"label": "object tags, not a vision-language model", "views": [{"light": "normal", "objects": [{"name": "car", "counts": [1], "score": 0.44}], "moving": []}], "text": []}','{"light": "normal", "objects": [{"name": "car", "box": [0.0016, 0.5135, 0.3831, 0.9853]}], "counts": {"car": 1}, "moving": [], "moving_share": 0.0, "lines": [], "picture": "GRweHiIhR0M8TUpDOzs3RUM/Pj06TUtHLjEvKy8vVFRMQ0A6V1FHmZOIq6efqaegGh8eKSsoVk9EtK6klY+HhHtumpWMlI2CYl9adXVwaGJXPDkzJygkPUA/RklKQkVGQDw4SUQ9dm5hsaqesq+neHZuubu3X2BcQkVHRUlKa2piOjkzKComKzAwMjg5NTs8XlVTVE9NUUpLX1xbra2pREhHVVlYl5iQcHJxe318m5ePOzozJSckKCwsKS0vNDo6PjQyPzUzQzg3QTo5NDUzj42Gf4F/zMnCSklFOjk2b2NSOTgyIyUiJiosKCwuJystKykmNzQwSUQ/S0hBZWFanZiOlI+GmZGFfndwaWZhZF9VLy8qICMgR0lJREdHOTs8V1ROhIJ7paWgrrCstbe2ubq5vL69w8XEyszL0dPSz9DOn56aS0xHY2VgZWdjMzU0ZGdlZGZlY2VkY2VlZGZkZWdnZmhmaWppbG1sbnBvc3Rzent4ent3c3RvMjQtHiEdLDAwLjEzMDQ1MjY4Mzc4MzY5Njk7PUFDQkVHR0pMSk1PTVJTWF1eWVxbaWleGx4Z"}','[32256]',5.51820200007568928413e+00,1.81096930000421707518e+01,8.4728712000014638761e+02,0.0,1.92436999896017368882e-01,853.853022000294,NULL,NULL,1795890191779,NULL,0,NULL,NULL,NULL);
CREATE TABLE tokens (
	digest VARCHAR(64) NOT NULL, 
	name VARCHAR(64), 
	created_ms BIGINT NOT NULL, 
	used_ms BIGINT, 
	until_ms BIGINT, scopes JSON, 
	CONSTRAINT pk_tokens PRIMARY KEY (digest), 
	CONSTRAINT uq_tokens_name UNIQUE (name)
);
INSERT INTO tokens VALUES ('ba65941eb6c817797b1ae13f8b66df24b74f096e3eac6597b5a60f7d654c786c','nightly',1795890185502,NULL,NULL,NULL);
CREATE TABLE workers (
	name VARCHAR(64) NOT NULL, 
	host VARCHAR(40) NOT NULL, 
	pid INTEGER NOT NULL, 
	commentator VARCHAR(32) NOT NULL, 
	streams INTEGER NOT NULL, 
	started_ms BIGINT NOT NULL, 
	seen_ms BIGINT NOT NULL, 
	memory_bytes BIGINT NOT NULL, 
	accelerator VARCHAR(80), 
	accelerator_used_bytes BIGINT, 
	accelerator_total_bytes BIGINT, 
	CONSTRAINT pk_workers PRIMARY KEY (name)
);
INSERT INTO workers VALUES ('vm-2e5a701e-4026531836-32429','vm',32429,'builtin',2,1795890185850,1795890185863,270589952,NULL,NULL,NULL);
CREATE TABLE uploads (
	id VARCHAR(16) NOT NULL, 
	owner VARCHAR(128), 
	length_bytes BIGINT NOT NULL, 
	metadata_text TEXT NOT NULL, 
	filename TEXT NOT NULL, 
	parameters JSON NOT NULL, 
	priority INTEGER NOT NULL, 
	created_ms BIGINT NOT NULL, 
	until_ms BIGINT NOT NULL, 
	job_id VARCHAR(16), 
	failure_kind VARCHAR(16), 
	failure_text TEXT, holder VARCHAR(64), 
	CONSTRAINT pk_uploads PRIMARY KEY (id)
);
INSERT INTO uploads VALUES ('avlnoguxlz2mutvf',NULL,509868,'','done.mp4','{"commentator": "builtin", "capture_fps": "2", "frames_per_inference": 4, "frame_stride": 2, "window_hop": 8, "change_threshold": 0.0, "max_new_tokens": 96, "summary": 0, "transcript": 0}',0,1795890186841,1795890246843,'jtnwnfxyvvt5qd7n',NULL,NULL,NULL);
INSERT INTO uploads VALUES ('nnkhw5obobaed2jx',NULL,509868,'','cancelled.mp4','{"commentator": "builtin", "capture_fps": "2", "frames_per_inference": 1, "frame_stride": 1, "window_hop": 1, "change_threshold": 0.0, "max_new_tokens": 96, "summary": 0, "transcript": 0}',0,1795890188747,1795890248753,'nrymgltj3bia75ay',NULL,NULL,NULL);
INSERT INTO uploads VALUES ('v2umhsw7k5bp4mhl',NULL,509868,'','open.mp4','{"commentator": "builtin", "capture_fps": "2", "frames_per_inference": 1, "frame_stride": 1, "window_hop": 1, "change_threshold": 0.0, "max_new_tokens": 96, "summary": 0, "transcript": 0}',0,1795890189565,1795890249579,'iaegqho4f4jexqax',NULL,NULL,NULL);
CREATE TABLE presets (
	name VARCHAR(64) NOT NULL, 
	fields JSON NOT NULL, 
	saved_ms BIGINT NOT NULL, 
	CONSTRAINT pk_presets PRIMARY KEY (name)
);
CREATE TABLE fetches (
	id VARCHAR(16) NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	address TEXT NOT NULL, 
	validator TEXT, 
	owner VARCHAR(64), 
	lease_until_ms BIGINT, 
	due_ms BIGINT NOT NULL, 
	attempts INTEGER NOT NULL, 
	trouble TEXT, 
	watched_key VARCHAR(64), 
	CONSTRAINT pk_fetches PRIMARY KEY (id), 
	CONSTRAINT fk_fetches_id_uploads FOREIGN KEY(id) REFERENCES uploads (id) ON DELETE CASCADE
);
CREATE TABLE watched_files (
	"key" VARCHAR(64) NOT NULL, 
	path TEXT NOT NULL, 
	noted_ms BIGINT NOT NULL, 
	sha256 VARCHAR(64), 
	CONSTRAINT pk_watched_files PRIMARY KEY ("key"), 
	CONSTRAINT uq_watched_files_sha256 UNIQUE (sha256)
);
CREATE TABLE kept_answers (
	digest VARCHAR(64) NOT NULL, 
	fingerprint VARCHAR(64) NOT NULL, 
	owner VARCHAR(64) NOT NULL, 
	created_ms BIGINT NOT NULL, 
	status INTEGER, 
	location TEXT, 
	body TEXT, 
	CONSTRAINT pk_kept_answers PRIMARY KEY (digest)
);
CREATE TABLE webhooks (
	id VARCHAR(16) NOT NULL, 
	url TEXT NOT NULL, 
	events JSON NOT NULL, 
	secret VARCHAR(64) NOT NULL, 
	old_secret VARCHAR(64), 
	old_until_ms BIGINT, 
	created_ms BIGINT NOT NULL, 
	delivered_ms BIGINT, 
	disabled_ms BIGINT, 
	disabled_reason TEXT, 
	CONSTRAINT pk_webhooks PRIMARY KEY (id)
);
CREATE TABLE deliveries (
	id VARCHAR(16) NOT NULL, 
	webhook_id VARCHAR(16) NOT NULL, 
	event VARCHAR(32) NOT NULL, 
	job_id VARCHAR(16) NOT NULL, 
	body TEXT NOT NULL, 
	created_ms BIGINT NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	round INTEGER NOT NULL, 
	due_ms BIGINT, 
	attempts JSON NOT NULL, 
	CONSTRAINT pk_deliveries PRIMARY KEY (id), 
	CONSTRAINT fk_deliveries_webhook_id_webhooks FOREIGN KEY(webhook_id) REFERENCES webhooks (id) ON DELETE CASCADE
);
CREATE TABLE "chunks" (
	id INTEGER NOT NULL, 
	job_id VARCHAR(16) NOT NULL, 
	first INTEGER NOT NULL, 
	stop INTEGER NOT NULL, 
	cursor INTEGER NOT NULL, 
	owner VARCHAR(64), 
	lease_until_ms BIGINT, 
	attempts INTEGER NOT NULL, 
	failure_kind VARCHAR(16), 
	failure_text TEXT, 
	partial_text TEXT, 
	stage INTEGER DEFAULT '1' NOT NULL, 
	CONSTRAINT pk_chunks PRIMARY KEY (id), 
	CONSTRAINT fk_chunks_job_id_jobs FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE CASCADE, 
	CONSTRAINT uq_chunks_job_id_stage_first UNIQUE (job_id, stage, first)
);
INSERT INTO chunks VALUES (1,'jtnwnfxyvvt5qd7n',0,3,3,NULL,NULL,0,NULL,NULL,NULL,1);
INSERT INTO chunks VALUES (2,'nrymgltj3bia75ay',0,4,1,NULL,NULL,1,NULL,NULL,NULL,1);
INSERT INTO chunks VALUES (3,'nrymgltj3bia75ay',4,8,5,NULL,NULL,1,NULL,NULL,NULL,1);
INSERT INTO chunks VALUES (4,'nrymgltj3bia75ay',8,12,8,NULL,NULL,0,NULL,NULL,NULL,1);
INSERT INTO chunks VALUES (5,'nrymgltj3bia75ay',12,16,12,NULL,NULL,0,NULL,NULL,NULL,1);
INSERT INTO chunks VALUES (6,'nrymgltj3bia75ay',16,20,16,NULL,NULL,0,NULL,NULL,NULL,1);
INSERT INTO chunks VALUES (7,'iaegqho4f4jexqax',0,4,4,NULL,NULL,0,NULL,NULL,NULL,1);
INSERT INTO chunks VALUES (8,'iaegqho4f4jexqax',4,8,6,'vm-2e5a701e-4026531836-32429-2j7hov6ctpeaklb3',1795890216781,1,NULL,NULL,NULL,1);
INSERT INTO chunks VALUES (9,'iaegqho4f4jexqax',8,12,8,'vm-2e5a701e-4026531836-32429-obye3ae7tapgicpk',1795890216072,1,NULL,NULL,NULL,1);
INSERT INTO chunks VALUES (10,'iaegqho4f4jexqax',12,16,12,NULL,NULL,0,NULL,NULL,NULL,1);
INSERT INTO chunks VALUES (11,'iaegqho4f4jexqax',16,20,16,NULL,NULL,0,NULL,NULL,NULL,1);
CREATE TABLE additions (
	job_id VARCHAR(16) NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	asked_ms BIGINT NOT NULL, 
	finished_ms BIGINT, 
	failure_kind VARCHAR(16), 
	failure_text TEXT, "before" JSON, 
	CONSTRAINT pk_additions PRIMARY KEY (job_id, kind), 
	CONSTRAINT fk_additions_job_id_jobs FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE CASCADE
);
CREATE TABLE passages (
	job_id VARCHAR(16) NOT NULL, 
	level INTEGER NOT NULL, 
	"index" INTEGER NOT NULL, 
	first INTEGER NOT NULL, 
	stop INTEGER NOT NULL, 
	start_ms BIGINT NOT NULL, 
	end_ms BIGINT NOT NULL, 
	is_chapter BOOLEAN NOT NULL, 
	title TEXT NOT NULL, 
	text TEXT NOT NULL, 
	reason TEXT, 
	waiting_ms FLOAT NOT NULL, 
	prefill_ms FLOAT NOT NULL, 
	generate_ms FLOAT NOT NULL, 
	total_ms FLOAT NOT NULL, 
	tokens_in INTEGER, 
	tokens_out INTEGER, 
	told_ms BIGINT, 
	CONSTRAINT pk_passages PRIMARY KEY (job_id, level, "index"), 
	CONSTRAINT fk_passages_job_id_jobs FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE CASCADE
);
CREATE TABLE utterances (
	job_id VARCHAR(16) NOT NULL, 
	piece INTEGER NOT NULL, 
	number INTEGER NOT NULL, 
	start_ms BIGINT NOT NULL, 
	end_ms BIGINT NOT NULL, 
	text TEXT NOT NULL, 
	language VARCHAR(16) NOT NULL, 
	CONSTRAINT pk_utterances PRIMARY KEY (job_id, piece, number), 
	CONSTRAINT fk_utterances_job_id_jobs FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE CASCADE
);
CREATE TABLE search_words (
        id INTEGER PRIMARY KEY, job_id VARCHAR(16) NOT NULL, source VARCHAR(8) NOT NULL,
        part INTEGER NOT NULL, number INTEGER NOT NULL, UNIQUE (job_id, source, part, number)
    );
INSERT INTO search_words VALUES (1,'jtnwnfxyvvt5qd7n','comment',0,0);
INSERT INTO search_words VALUES (2,'jtnwnfxyvvt5qd7n','comment',0,1);
INSERT INTO search_words VALUES (3,'jtnwnfxyvvt5qd7n','comment',0,2);
INSERT INTO search_words VALUES (4,'nrymgltj3bia75ay','comment',0,0);
INSERT INTO search_words VALUES (5,'nrymgltj3bia75ay','comment',0,4);
INSERT INTO search_words VALUES (6,'iaegqho4f4jexqax','comment',0,0);
INSERT INTO search_words VALUES (7,'iaegqho4f4jexqax','comment',0,1);
INSERT INTO search_words VALUES (8,'iaegqho4f4jexqax','comment',0,2);
INSERT INTO search_words VALUES (9,'iaegqho4f4jexqax','comment',0,4);
INSERT INTO search_words VALUES (10,'iaegqho4f4jexqax','comment',0,3);
INSERT INTO search_words VALUES (11,'iaegqho4f4jexqax','comment',0,5);
CREATE VIEW search_texts AS 
            SELECT w.id, w.job_id, w.source, w.part, w.number, row.start_ms, row.end_ms,
                   coalesce(row.correction, row.text) AS text, row.correction IS NOT NULL AS corrected
            FROM search_words w JOIN segments row ON row.job_id = w.job_id
            AND 0 = w.part AND row."index" = w.number
            WHERE w.source = 'comment'
             UNION ALL 
            SELECT w.id, w.job_id, w.source, w.part, w.number, row.start_ms, row.end_ms,
                   row.text AS text, FALSE AS corrected
            FROM search_words w JOIN utterances row ON row.job_id = w.job_id
            AND row.piece = w.part AND row.number = w.number
            WHERE w.source = 'speech'
             UNION ALL 
            SELECT w.id, w.job_id, w.source, w.part, w.number, row.start_ms, row.end_ms,
                   CASE WHEN row.title = '' OR row.text = '' THEN row.title || row.text ELSE row.title || ': ' || row.text END AS text, FALSE AS corrected
            FROM search_words w JOIN passages row ON row.job_id = w.job_id
            AND row.level = w.part AND row."index" = w.number
            WHERE w.source = 'summary';
CREATE VIRTUAL TABLE search_stems USING fts5(
        text, content='search_texts', content_rowid='id',
        tokenize='porter unicode61 remove_diacritics 2'
    );
INSERT INTO search_stems (search_stems) VALUES ('rebuild');
CREATE VIRTUAL TABLE search_plain USING fts5(
        text, content='search_texts', content_rowid='id',
        tokenize='unicode61 remove_diacritics 2', prefix='2 3'
    );
INSERT INTO search_plain (search_plain) VALUES ('rebuild');
CREATE INDEX ix_jobs_created_ms ON jobs (created_ms);
CREATE INDEX ix_jobs_state_priority ON jobs (state, priority);
CREATE INDEX ix_jobs_video_id ON jobs (video_id);
CREATE INDEX ix_segments_job_id_created_ms ON segments (job_id, created_ms);
CREATE INDEX ix_segments_created_ms ON segments (created_ms);
CREATE INDEX ix_uploads_until_ms ON uploads (until_ms);
CREATE INDEX ix_kept_answers_created_ms ON kept_answers (created_ms);
CREATE INDEX ix_deliveries_due_ms ON deliveries (due_ms);
CREATE INDEX ix_deliveries_webhook_id_created_ms ON deliveries (webhook_id, created_ms);
CREATE INDEX ix_chunks_lease_until_ms ON chunks (lease_until_ms);
CREATE TRIGGER search_comment_added AFTER INSERT ON segments BEGIN 
        INSERT INTO search_words (job_id, source, part, number)
        SELECT new.job_id, 'comment', 0, new."index"
        WHERE coalesce(new.correction, new.text) <> '' AND TRUE;
        INSERT INTO search_stems (rowid, text) SELECT id, coalesce(new.correction, new.text) FROM search_words WHERE job_id = new.job_id AND source = 'comment' AND part = 0 AND number = new."index";INSERT INTO search_plain (rowid, text) SELECT id, coalesce(new.correction, new.text) FROM search_words WHERE job_id = new.job_id AND source = 'comment' AND part = 0 AND number = new."index"; END;
CREATE TRIGGER search_comment_removed BEFORE DELETE ON segments BEGIN INSERT INTO search_stems (search_stems, rowid, text) SELECT 'delete', id, coalesce(old.correction, old.text) FROM search_words WHERE job_id = old.job_id AND source = 'comment' AND part = 0 AND number = old."index";INSERT INTO search_plain (search_plain, rowid, text) SELECT 'delete', id, coalesce(old.correction, old.text) FROM search_words WHERE job_id = old.job_id AND source = 'comment' AND part = 0 AND number = old."index";DELETE FROM search_words WHERE job_id = old.job_id AND source = 'comment' AND part = 0 AND number = old."index"; END;
CREATE TRIGGER search_comment_changed AFTER UPDATE OF text, correction ON segments BEGIN INSERT INTO search_stems (search_stems, rowid, text) SELECT 'delete', id, coalesce(old.correction, old.text) FROM search_words WHERE job_id = old.job_id AND source = 'comment' AND part = 0 AND number = old."index";INSERT INTO search_plain (search_plain, rowid, text) SELECT 'delete', id, coalesce(old.correction, old.text) FROM search_words WHERE job_id = old.job_id AND source = 'comment' AND part = 0 AND number = old."index";DELETE FROM search_words WHERE job_id = old.job_id AND source = 'comment' AND part = 0 AND number = old."index"; 
        INSERT INTO search_words (job_id, source, part, number)
        SELECT new.job_id, 'comment', 0, new."index"
        WHERE coalesce(new.correction, new.text) <> '' AND TRUE;
        INSERT INTO search_stems (rowid, text) SELECT id, coalesce(new.correction, new.text) FROM search_words WHERE job_id = new.job_id AND source = 'comment' AND part = 0 AND number = new."index";INSERT INTO search_plain (rowid, text) SELECT id, coalesce(new.correction, new.text) FROM search_words WHERE job_id = new.job_id AND source = 'comment' AND part = 0 AND number = new."index"; END;
CREATE TRIGGER search_speech_added AFTER INSERT ON utterances BEGIN 
        INSERT INTO search_words (job_id, source, part, number)
        SELECT new.job_id, 'speech', new.piece, new.number
        WHERE new.text <> '' AND TRUE;
        INSERT INTO search_stems (rowid, text) SELECT id, new.text FROM search_words WHERE job_id = new.job_id AND source = 'speech' AND part = new.piece AND number = new.number;INSERT INTO search_plain (rowid, text) SELECT id, new.text FROM search_words WHERE job_id = new.job_id AND source = 'speech' AND part = new.piece AND number = new.number; END;
CREATE TRIGGER search_speech_removed BEFORE DELETE ON utterances BEGIN INSERT INTO search_stems (search_stems, rowid, text) SELECT 'delete', id, old.text FROM search_words WHERE job_id = old.job_id AND source = 'speech' AND part = old.piece AND number = old.number;INSERT INTO search_plain (search_plain, rowid, text) SELECT 'delete', id, old.text FROM search_words WHERE job_id = old.job_id AND source = 'speech' AND part = old.piece AND number = old.number;DELETE FROM search_words WHERE job_id = old.job_id AND source = 'speech' AND part = old.piece AND number = old.number; END;
CREATE TRIGGER search_speech_changed AFTER UPDATE OF text ON utterances BEGIN INSERT INTO search_stems (search_stems, rowid, text) SELECT 'delete', id, old.text FROM search_words WHERE job_id = old.job_id AND source = 'speech' AND part = old.piece AND number = old.number;INSERT INTO search_plain (search_plain, rowid, text) SELECT 'delete', id, old.text FROM search_words WHERE job_id = old.job_id AND source = 'speech' AND part = old.piece AND number = old.number;DELETE FROM search_words WHERE job_id = old.job_id AND source = 'speech' AND part = old.piece AND number = old.number; 
        INSERT INTO search_words (job_id, source, part, number)
        SELECT new.job_id, 'speech', new.piece, new.number
        WHERE new.text <> '' AND TRUE;
        INSERT INTO search_stems (rowid, text) SELECT id, new.text FROM search_words WHERE job_id = new.job_id AND source = 'speech' AND part = new.piece AND number = new.number;INSERT INTO search_plain (rowid, text) SELECT id, new.text FROM search_words WHERE job_id = new.job_id AND source = 'speech' AND part = new.piece AND number = new.number; END;
CREATE TRIGGER search_summary_added AFTER INSERT ON passages BEGIN 
        INSERT INTO search_words (job_id, source, part, number)
        SELECT new.job_id, 'summary', new.level, new."index"
        WHERE CASE WHEN new.title = '' OR new.text = '' THEN new.title || new.text ELSE new.title || ': ' || new.text END <> '' AND (new.is_chapter OR NOT EXISTS (SELECT 1 FROM passages AS higher WHERE higher.job_id = new.job_id AND higher.level > new.level));
        INSERT INTO search_stems (rowid, text) SELECT id, CASE WHEN new.title = '' OR new.text = '' THEN new.title || new.text ELSE new.title || ': ' || new.text END FROM search_words WHERE job_id = new.job_id AND source = 'summary' AND part = new.level AND number = new."index";INSERT INTO search_plain (rowid, text) SELECT id, CASE WHEN new.title = '' OR new.text = '' THEN new.title || new.text ELSE new.title || ': ' || new.text END FROM search_words WHERE job_id = new.job_id AND source = 'summary' AND part = new.level AND number = new."index"; END;
CREATE TRIGGER search_summary_removed BEFORE DELETE ON passages BEGIN INSERT INTO search_stems (search_stems, rowid, text) SELECT 'delete', id, CASE WHEN old.title = '' OR old.text = '' THEN old.title || old.text ELSE old.title || ': ' || old.text END FROM search_words WHERE job_id = old.job_id AND source = 'summary' AND part = old.level AND number = old."index";INSERT INTO search_plain (search_plain, rowid, text) SELECT 'delete', id, CASE WHEN old.title = '' OR old.text = '' THEN old.title || old.text ELSE old.title || ': ' || old.text END FROM search_words WHERE job_id = old.job_id AND source = 'summary' AND part = old.level AND number = old."index";DELETE FROM search_words WHERE job_id = old.job_id AND source = 'summary' AND part = old.level AND number = old."index"; END;
CREATE TRIGGER search_summary_changed AFTER UPDATE OF title, text ON passages BEGIN INSERT INTO search_stems (search_stems, rowid, text) SELECT 'delete', id, CASE WHEN old.title = '' OR old.text = '' THEN old.title || old.text ELSE old.title || ': ' || old.text END FROM search_words WHERE job_id = old.job_id AND source = 'summary' AND part = old.level AND number = old."index";INSERT INTO search_plain (search_plain, rowid, text) SELECT 'delete', id, CASE WHEN old.title = '' OR old.text = '' THEN old.title || old.text ELSE old.title || ': ' || old.text END FROM search_words WHERE job_id = old.job_id AND source = 'summary' AND part = old.level AND number = old."index";DELETE FROM search_words WHERE job_id = old.job_id AND source = 'summary' AND part = old.level AND number = old."index"; 
        INSERT INTO search_words (job_id, source, part, number)
        SELECT new.job_id, 'summary', new.level, new."index"
        WHERE CASE WHEN new.title = '' OR new.text = '' THEN new.title || new.text ELSE new.title || ': ' || new.text END <> '' AND (new.is_chapter OR NOT EXISTS (SELECT 1 FROM passages AS higher WHERE higher.job_id = new.job_id AND higher.level > new.level));
        INSERT INTO search_stems (rowid, text) SELECT id, CASE WHEN new.title = '' OR new.text = '' THEN new.title || new.text ELSE new.title || ': ' || new.text END FROM search_words WHERE job_id = new.job_id AND source = 'summary' AND part = new.level AND number = new."index";INSERT INTO search_plain (rowid, text) SELECT id, CASE WHEN new.title = '' OR new.text = '' THEN new.title || new.text ELSE new.title || ': ' || new.text END FROM search_words WHERE job_id = new.job_id AND source = 'summary' AND part = new.level AND number = new."index"; END;

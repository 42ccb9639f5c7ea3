CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO alembic_version VALUES ('0011');
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
INSERT INTO videos VALUES ('kperh23jeqglvzoq','91028f9d6c72cc8137d8bd05678bdfcf5ab7c8fd9d7b77de70ce7a3ade257bb5',509868,1795562871773,'mov,mp4,m4a,3gp,3g2,mj2','h264',0,640,272,'1/12800',0,127488,128000,250,0,'video/mp4','[]',NULL);
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
	hinted_ms BIGINT NOT NULL, networks JSON DEFAULT '[]' NOT NULL, source_id VARCHAR(16), windows_taken INTEGER DEFAULT '0' NOT NULL, stage INTEGER DEFAULT '1' NOT NULL, 
	CONSTRAINT pk_jobs PRIMARY KEY (id), 
	CONSTRAINT fk_jobs_video_id_videos FOREIGN KEY(video_id) REFERENCES videos (id)
);
INSERT INTO jobs VALUES ('4bxf45irxbuogv53','kperh23jeqglvzoq','done.mp4','builtin','{"commentator": "builtin", "capture_fps": "2", "frames_per_inference": 4, "frame_stride": 2, "window_hop": 8, "change_threshold": 0.0, "max_new_tokens": 96, "summary": 0, "transcript": 0}',3,'done',0,1795562871776,1795562871847,1795562872691,NULL,844,NULL,NULL,NULL,1,1795562871847,'[]',NULL,0,1);
INSERT INTO jobs VALUES ('xeqbqrgdk67tt7jq','kperh23jeqglvzoq','cancelled.mp4','builtin','{"commentator": "builtin", "capture_fps": "2", "frames_per_inference": 1, "frame_stride": 1, "window_hop": 1, "change_threshold": 0.0, "max_new_tokens": 96, "summary": 0, "transcript": 0}',20,'cancelled',0,1795562872768,1795562872783,1795562873072,NULL,289,NULL,NULL,NULL,1,1795562872794,'[]',NULL,0,1);
INSERT INTO jobs VALUES ('rzlpbdlthokq6jri','kperh23jeqglvzoq','open.mp4','builtin','{"commentator": "builtin", "capture_fps": "2", "frames_per_inference": 1, "frame_stride": 1, "window_hop": 1, "change_threshold": 0.0, "max_new_tokens": 96, "summary": 0, "transcript": 0}',20,'running',0,1795562873109,1795562873124,NULL,1795562873124,0,NULL,NULL,NULL,1,1795562873270,'[]',NULL,0,1);
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
INSERT INTO segments VALUES ('4bxf45irxbuogv53',0,0,4000,'said','No object recognised; a large part of the picture changes; then a new view: a car at the left; most of the picture changes.',NULL,'{"label": "object tags, not a vision-language model", "views": [{"light": "normal", "objects": [], "moving": [["left", "middle", "right"]]}, {"light": "normal", "objects": [{"name": "car", "counts": [1, 1], "score": 0.608}], "moving": [["left", "middle", "right"]]}], "text": []}','{"light": "normal", "objects": [{"name": "car", "box": [0.0016, 0.5135, 0.3831, 0.9853]}], "counts": {"car": 1}, "moving": ["left", "middle", "right"], "moving_share": 0.6936, "lines": [], "picture": "OjcxUUxGNjcySUdDPj46TkxIODo2LDEvPkA8R0Q8XFZMhH1xsKuitbCos7GoraujRkE4raacg31zlY2Ck42CeG9iamhigYF9fn13QT43MzMtMzQxKzMxKzMyOEA/ZGhlamJXrqebqaacjIiAwsG+Tk9KSExMT1JTjIqAV1ZQY2ReRklFSEpEKiwpKCspSUxIP0NBU1ZUxcS9TFFPbG9siImDYGJjW1pYWllTRURBNDMwLS0rLS4rKispKywqLC0rMTU0Nzw6jYl8gH52YmVjXl5aW1tYWlVQVlFOWlVSWVJPW1RSXVxZMzUyLSwmKi0nZ2lmd3t4ycjFkIyFOzw3KionLC4rUkxHUUA+UD06UD88TkA9TkZCJCcmJSciNTcvZGFZY2VhWFVPLi4pLS8pKConIyUjLzAtNjUzNjUzMjEvMjIvLi4rKi0pTkxDU1RLa2VWRkM9UEpAdWxbbGVWWFhSPkA8WllVcW9shIF+k4+Mn5uYr6qlyMW/9PX3+Pr9Gx0ZHR4ZJCUgMzIrXVxVtbe0v8G+wsXEwsTDwcTCv8K+vsC8vL66ury4ubu4ubq3"}','[0, 12800, 25600, 38400]',1.84397553000053449068e+02,3.37537880004674661904e+01,2.65043143999719177372e+02,0.0,2.89421999696060083806e-01,4.90541977000248152762e+02,NULL,NULL,1795562872349,NULL,0,NULL,NULL,NULL);
INSERT INTO segments VALUES ('4bxf45irxbuogv53',1,4000,8000,'said','A new view: no object recognised; then a new view: part of a person in the middle; then a new view: at least 3 cars; a large part of the picture changes.',NULL,'{"label": "object tags, not a vision-language model", "views": [{"light": "normal", "objects": [], "moving": []}, {"light": "normal", "objects": [{"name": "person", "counts": [1], "score": 0.811}], "moving": []}, {"light": "normal", "objects": [{"name": "car", "counts": [3, 3], "score": 0.619}], "moving": [["left", "middle", "right"]]}], "text": []}','{"light": "normal", "objects": [{"name": "car", "box": [0.8177, 0.3657, 0.9407, 0.5899]}, {"name": "car", "box": [0.5841, 0.431, 0.6941, 0.5968]}], "counts": {"car": 3}, "moving": ["left", "middle", "right"], "moving_share": 0.2144, "lines": [{"text": "", "box": [0.4625, 0.4118, 0.5703, 0.4779], "print": "qJiNrsXJvK3DxsKoioWeqJihoYd0f4J3YlplZ2dqbW5sc1hKQjw+O2mYkrTFxsGlx8nMonWAoq6TsLisiKCyrHuInKihsbyym7m2wptDR0I5TIm9tKeejauZo4eMop6LeZiPiYKjpYltgoGZlqmtl3t7epSAREA+LjE0VI6lnYV9eHl9ho6WkYqYj4ODioiEhoyIiIqMioWDgYGBfH59fA=="}], "picture": "YVpYWFFOZF1baF9dfHFriYSCiISCh4SEsK6uw8HAvL2+u7y+p6anend1a2BaZWBaTk1QSERBWFNQTkxLcmtol5KQYF1bhYB+h3BokXpvta+qpZqVd29rZllWb2pkREE+R0NDTUZEWU9LZWBdVlFOcGplZF5bhH57fnVwgHRtgXhxgXdxcmpiZltYY11YTUlFX2BhVUxKWE9NSEtMRkZGQkNCLC4tZmViZ2djZV9cfHl3XltWXllTY2NibGpnXFhSP0A8g2tii4R5ioV9WFVUU1JPJCgnW1VLlZGJb2ZhYFlZNjk2a2pmUVNPRkdDOz46gH13W1tVpqKcrqqla2pmUVFOJysoeXBmhIF7k4+KeHZwSUxHpKCYZmVfb21oVVVNp6OcmJWNY2NcnpyVgoF7hYJ9MDUwh4J7tbCqbmxlsq2lVllSsaujjImDkpGKb3FrqKScrKigpqKaQUM7nZmShoJ9MzUtjIR8mJSNs62ljIiBV1lSmpiSsKyloJ2VWFxUqaaframihoR8jIiAYV5Wj4uFNTkxenVtsKykr6qjkIyGSktEkI6GjYt/iYd5VFNE"}','[51200, 64000, 76800, 89600]',3.13036700026714242994e+00,6.28487490002953563816e+01,2.02991662999920663423e+02,0.0,1.90122999811137560755e-01,2.07431060999624605756e+02,NULL,NULL,1795562872566,NULL,0,NULL,NULL,NULL);
INSERT INTO segments VALUES ('4bxf45irxbuogv53',2,8000,10000,'said','A new view: no object recognised; a large part of the picture changes.',NULL,'{"label": "object tags, not a vision-language model", "views": [{"light": "normal", "objects": [], "moving": [["left", "middle", "right"]]}], "text": []}','{"light": "normal", "objects": [], "counts": {}, "moving": ["left", "middle", "right"], "moving_share": 0.322, "lines": [], "picture": "vLSocG5oTU5QYWNioKCb3t3U09LIeHRtWlxYVllWRUdFPD88PD88MTQxOz44YmNZpJ6Tc3BqS01OWl1clJKNzszByMa8f3xzYmJdSUpGX19aZWRdYWFbZmhhW11XT1JLo6CWenZvS0xNWVtajIuGxsO6s7GpqqqlamtpQUJAVldTV1lVRkhDREZCRUhDVlpTi4qAi4mDUVNSWFpapKSegYqFj5CKjIuFTk1KT1BOX2FeVVhVWFpYYmRgaGplfoJ6dXZuk5GIaWhiZGNehYV/SU1GhYiBY2NeU1NOJigoKiwsISMiMTMyHB0cR0pFd3pxioh+kI2Ci4h/gX51gX10TU9Je3xzSEhERkhGV1hVIyQkJCUkIiUjKSonS0xHdnlwoJ6Vp6OYq6idraicqaSZWVxViYh+lpSLd3VuXl1YSEhESklFPj87Pz05WlpTd3hum5mNoZ6To6GWp6KWqaSZVVtUjIuBq6idr62jr66iq6eaqaWZpqOZoJ2TmZiOkZGFj46CkpGEn6CVpKKVqKWZVFpVkJCHqqOVq6idsa+ksq2hsqyftbCjtK6gsKmYqqeX"}','[102400, 115200]',1.87568599994847318157e+00,2.45191009998961817473e+01,1.02279378999810433015e+02,0.0,1.65998000738909468054e-01,1.05358720000367611646e+02,NULL,NULL,1795562872675,NULL,0,NULL,NULL,NULL);
INSERT INTO segments VALUES ('xeqbqrgdk67tt7jq',0,0,500,'said','No object recognised.',NULL,'{"label": "object tags, not a vision-language model", "views": [{"light": "normal", "objects": [], "moving": []}], "text": []}','{"light": "normal", "objects": [], "counts": {}, "moving": [], "moving_share": 0.0, "lines": [{"text": "", "box": [0.0688, 0.6544, 0.1234, 0.8199], "print": "YWFhYmJiYmJiYWFhYVxfYWJjZGRkZGRiY2RlZGRjYWFhYWFhYWFgX2FhYWFhYmJiYFxcZGRudXd4d3RycmlhbHR2cnFxc3Z5cmxmY2NhYWFeXl5eXmBbV15nb3JycnFvbF1fbGxpam9ydnh3d3RtaGRiYWBgYGBgXl9cVVVUWV5hYmJiYmJhX15hYmFhYWJlaGdiY2NjX19eXl5eXl9fXw=="}], "picture": "cGRdcmdfcGVebmNcaF1YfHNxxcLDqaGji3t51dHW5+Xpg3VscmdgaF1Wa2FabGNcb2RdcGVecGVebWJcZVxWhH17xcPEoZiYgG9s1dHW6ejtiXtyfG9mcGVecGZfb2ZebmNcb2RdbmRca2BaZFpVjYaFxcPEmpGTa11c08/S4t/kkYR8fnJodGhhcGZfbmVfbmNcbWJbbGFbaV9ZY1lTlY+OxMLDxsPFx8LE19TY1NDRmY2GgXNpdWpib2VdbmVeamBZa2BZa2FaaF5YYVdRnZeXw8HCycbI0M3R29nd8vL1oJWOgXNodWlibWRcbGNdbGFaa2BZaV5XZVtUX1RPo5+gwsDByMbI0M3R19TY5uXpppyXgHFmdGlhbGJbamFbaF1Xd2JRZ11WZFpTW1JMrKipwL6/xsTFzsvO09DU2tfcqqGdf3BmdGhha2BaZ15YZlxVaFtUZVpVYFZQWlFLsa2vvrq8xMLDw8DAzcrMzsjJrqWifnBmc2hfaV9YZVxWYlhTY1pUYVdRXFNNXFNQs6+xu7i5wLy+u7SzrqqokYV9sKilkIF2dGhfbGFaYllT"}','[0]',1.175338099983491702e+01,6.94098200074222404509e+00,96.0377849996803,0.0,9.72750003711553290486e-02,1.08683786999790754634e+02,NULL,NULL,1795562872899,NULL,0,NULL,NULL,NULL);
INSERT INTO segments VALUES ('xeqbqrgdk67tt7jq',1,500,1000,'said','The picture has changed in the middle and at the right.',NULL,'{"label": "object tags, not a vision-language model", "views": [{"light": "normal", "objects": [], "moving": []}], "text": []}','{"light": "normal", "objects": [], "counts": {}, "moving": [], "moving_share": 0.0, "lines": [{"text": "", "box": [0.3656, 0.0, 0.6656, 0.9963], "print": "uru9v8HCw8TGx8fGxsW6paKhoKChoqKkp6/E09PT1NXW19jY2dnc4Lu9v8HDxMXGx8fIycnKysrLzM3P0dLS0dLT1NbX19fX2dvd3+Dh4eO7vb/AwcLCw8XFxsfIx8fHyMnKzM3Ozs/Q0dDT1dPU19nb3N3e3t/gubq7u7y8vL29vsDBuqKipKWlpKSnqKioqaqtvMfMzc7Q0dPU1NXW2A=="}], "picture": "eWtie2xkd2tjcmZga2BafXVyw7/Bpp+hdmlq08/T39zheW1mXVRPLCYmKiUmVUtHcmdfc2hhc2hhb2RdZ11XhX57xMHDzMnN0c7T19TY4t/lfnNtaF5YUkpGUktHZ15XcGVecGVecGVebGJbZFtVjIWExcHDzcrO09HW2NXa4+LnjYF5d2pjamBYaV9YbGNcb2RdbWJbbWJcamBZY1lSk42MxcLDy8jM0s/U2dfc5uXqmY2Gf3Joc2dfbWJbbWRda2FabGFaa2FaaF5XYVdRm5aVxMLEy8jM0c7R2Nbb4+LnoZaQgXJodGlhbWNbbGNcbGFba2BaaV9XZVtUXlROoJydxMHDycbK0c7S19Xa4uHmqJ6agHFndGlhbGJbamFbaF5Xd2JRZ11WZFlTW1FMqKOlwb7AxsTFzsvO1tPX393irqShfnBmc2hgamBZZ15YZVxVaFtUZFtVYFdRWU9Krqqsvru9xcLDycbI0s7S29jdsqmnfW9lc2dfaF5XZFtVYlhTY1pUYVdSXVROWVBNsa6vvbm7l46PhHd2wry+1NHVta2skIF2c2dfa2BZYVhS"}','[6656]',6.55617000120400916785e-01,1.09027990001777652651e+01,8.25529029998506302945e+01,0.0,1.15521999759948812425e-01,8.4262872000181232579e+01,NULL,NULL,1795562872987,NULL,0,NULL,NULL,NULL);
INSERT INTO segments VALUES ('rzlpbdlthokq6jri',0,0,500,'said','No object recognised.',NULL,'{"label": "object tags, not a vision-language model", "views": [{"light": "normal", "objects": [], "moving": []}], "text": []}','{"light": "normal", "objects": [], "counts": {}, "moving": [], "moving_share": 0.0, "lines": [{"text": "", "box": [0.0688, 0.6544, 0.1234, 0.8199], "print": "YWFhYmJiYmJiYWFhYVxfYWJjZGRkZGRiY2RlZGRjYWFhYWFhYWFgX2FhYWFhYmJiYFxcZGRudXd4d3RycmlhbHR2cnFxc3Z5cmxmY2NhYWFeXl5eXmBbV15nb3JycnFvbF1fbGxpam9ydnh3d3RtaGRiYWBgYGBgXl9cVVVUWV5hYmJiYmJhX15hYmFhYWJlaGdiY2NjX19eXl5eXl9fXw=="}], "picture": "cGRdcmdfcGVebmNcaF1YfHNxxcLDqaGji3t51dHW5+Xpg3VscmdgaF1Wa2FabGNcb2RdcGVecGVebWJcZVxWhH17xcPEoZiYgG9s1dHW6ejtiXtyfG9mcGVecGZfb2ZebmNcb2RdbmRca2BaZFpVjYaFxcPEmpGTa11c08/S4t/kkYR8fnJodGhhcGZfbmVfbmNcbWJbbGFbaV9ZY1lTlY+OxMLDxsPFx8LE19TY1NDRmY2GgXNpdWpib2VdbmVeamBZa2BZa2FaaF5YYVdRnZeXw8HCycbI0M3R29nd8vL1oJWOgXNodWlibWRcbGNdbGFaa2BZaV5XZVtUX1RPo5+gwsDByMbI0M3R19TY5uXpppyXgHFmdGlhbGJbamFbaF1Xd2JRZ11WZFpTW1JMrKipwL6/xsTFzsvO09DU2tfcqqGdf3BmdGhha2BaZ15YZlxVaFtUZVpVYFZQWlFLsa2vvrq8xMLDw8DAzcrMzsjJrqWifnBmc2hfaV9YZVxWYlhTY1pUYVdRXFNNXFNQs6+xu7i5wLy+u7SzrqqokYV9sKilkIF2dGhfbGFaYllT"}','[0]',2.29379092999806744046e+02,3.51841499923466471955e+00,1.03088044999822159297e+02,0.0,0.135722000777605,3.33714698000221687834e+02,NULL,NULL,1795562873500,NULL,0,NULL,NULL,NULL);
INSERT INTO segments VALUES ('rzlpbdlthokq6jri',4,2000,2500,'said','A car at the left.',NULL,'{"label": "object tags, not a vision-language model", "views": [{"light": "normal", "objects": [{"name": "car", "counts": [1], "score": 0.608}], "moving": []}], "text": []}','{"light": "normal", "objects": [{"name": "car", "box": [0.0016, 0.5135, 0.3831, 0.9853]}], "counts": {"car": 1}, "moving": [], "moving_share": 0.0, "lines": [], "picture": "Gx8gHSEeS0c/RUI8QEA7QkE9Pz47SklELjAuLTExamlgPTs1WlRKk46FpKCYpaCZGyAgLC4qYVlMlZGJd3JqbWZbdnFpn5uRUk5HYGBdWFVNODYxKCklTlFPUVRTSk1ORUM+RkI6fXJisaiZy8nBioV4tLSvkJCJQENEW19cWllUOzo1JigkLjIzMjg5Mjg5cnBoiYqHSk5MTVBQyMnEbXNtQ0hIqKmhYWNicnV0eXp2MC8qIyUiKS0uKi4wOT8/REZEqqifRUdEOz8/b25lk5GIbHBwtbSvZGJZNDY2Pjs2MC8qICMfJissJywuJSosop+ZnJqUfn98eXx6sLCswLuwcHFsiYJza2JTODYyTEY/MjMvHyIgOz8/ODs7MjU2VlhYXmBfaWxqbG5rd3ZwfnBeVVNMdW9jcmtdNzgypaCWMjIsHyEdamxob3FudXh0Mzg5Q0lIQ0hJUVVXZGRidWhXMC4pWlNGZl1PgHVmf3xwWFVJJCYhOjw5cHNvSU1LLjI0OkA/OkBAQUZITlJSYl9aNTMuYFdLfXBeV1BFRkE3XlVHT09HQkE8amtlKi0s"}','[25600]',1.61438770000131626147e+02,1.2059847999807971064e+01,1.01541590000124415382e+02,0.0,1.46348000271245837211e-01,2.64135290999547578394e+02,NULL,NULL,1795562873538,NULL,0,NULL,NULL,NULL);
INSERT INTO segments VALUES ('rzlpbdlthokq6jri',1,500,1000,'said','The picture has changed in the middle and at the right.',NULL,'{"label": "object tags, not a vision-language model", "views": [{"light": "normal", "objects": [], "moving": []}], "text": []}','{"light": "normal", "objects": [], "counts": {}, "moving": [], "moving_share": 0.0, "lines": [{"text": "", "box": [0.3656, 0.0, 0.6656, 0.9963], "print": "uru9v8HCw8TGx8fGxsW6paKhoKChoqKkp6/E09PT1NXW19jY2dnc4Lu9v8HDxMXGx8fIycnKysrLzM3P0dLS0dLT1NbX19fX2dvd3+Dh4eO7vb/AwcLCw8XFxsfIx8fHyMnKzM3Ozs/Q0dDT1dPU19nb3N3e3t/gubq7u7y8vL29vsDBuqKipKWlpKSnqKioqaqtvMfMzc7Q0dPU1NXW2A=="}], "picture": "eWtie2xkd2tjcmZga2BafXVyw7/Bpp+hdmlq08/T39zheW1mXVRPLCYmKiUmVUtHcmdfc2hhc2hhb2RdZ11XhX57xMHDzMnN0c7T19TY4t/lfnNtaF5YUkpGUktHZ15XcGVecGVecGVebGJbZFtVjIWExcHDzcrO09HW2NXa4+LnjYF5d2pjamBYaV9YbGNcb2RdbWJbbWJcamBZY1lSk42MxcLDy8jM0s/U2dfc5uXqmY2Gf3Joc2dfbWJbbWRda2FabGFaa2FaaF5XYVdRm5aVxMLEy8jM0c7R2Nbb4+LnoZaQgXJodGlhbWNbbGNcbGFba2BaaV9XZVtUXlROoJydxMHDycbK0c7S19Xa4uHmqJ6agHFndGlhbGJbamFbaF5Xd2JRZ11WZFlTW1FMqKOlwb7AxsTFzsvO1tPX393irqShfnBmc2hgamBZZ15YZVxVaFtUZFtVYFdRWU9Krqqsvru9xcLDycbI0s7S29jdsqmnfW9lc2dfaF5XZFtVYlhTY1pUYVdSXVROWVBNsa6vvbm7l46PhHd2wry+1NHVta2skIF2c2dfa2BZYVhS"}','[6656]',7.10508999873127322643e-01,9.08304999938991386443e+00,87.714367999979,0.0,1.1798500054283067584e-01,89.3809909994161,NULL,NULL,1795562873593,NULL,0,NULL,NULL,NULL);
INSERT INTO segments VALUES ('rzlpbdlthokq6jri',5,2500,3000,'said','The picture has changed all across the picture.',NULL,'{"label": "object tags, not a vision-language model", "views": [{"light": "normal", "objects": [{"name": "car", "counts": [1], "score": 0.44}], "moving": []}], "text": []}','{"light": "normal", "objects": [{"name": "car", "box": [0.0016, 0.5135, 0.3831, 0.9853]}], "counts": {"car": 1}, "moving": [], "moving_share": 0.0, "lines": [], "picture": "GRweHiIhR0M8TUpDOzs3RUM/Pj06TUtHLjEvKy8vVFRMQ0A6V1FHmZOIq6efqaegGh8eKSsoVk9EtK6klY+HhHtumpWMlI2CYl9adXVwaGJXPDkzJygkPUA/RklKQkVGQDw4SUQ9dm5hsaqesq+neHZuubu3X2BcQkVHRUlKa2piOjkzKComKzAwMjg5NTs8XlVTVE9NUUpLX1xbra2pREhHVVlYl5iQcHJxe318m5ePOzozJSckKCwsKS0vNDo6PjQyPzUzQzg3QTo5NDUzj42Gf4F/zMnCSklFOjk2b2NSOTgyIyUiJiosKCwuJystKykmNzQwSUQ/S0hBZWFanZiOlI+GmZGFfndwaWZhZF9VLy8qICMgR0lJREdHOTs8V1ROhIJ7paWgrrCstbe2ubq5vL69w8XEyszL0dPSz9DOn56aS0xHY2VgZWdjMzU0ZGdlZGZlY2VkY2VlZGZkZWdnZmhmaWppbG1sbnBvc3Rzent4ent3c3RvMjQtHiEdLDAwLjEzMDQ1MjY4Mzc4MzY5Njk7PUFDQkVHR0pMSk1PTVJTWF1eWVxbaWleGx4Z"}','[32256]',7.11651000528945587575e-01,10.6476319997455,7.411151899941614829e+01,0.0,1.36884999847097788006e-01,7.58265860004030400887e+01,NULL,NULL,1795562873618,NULL,0,NULL,NULL,NULL);
INSERT INTO segments VALUES ('rzlpbdlthokq6jri',2,1000,1500,'said','The picture has changed in the middle and at the right.',NULL,'{"label": "object tags, not a vision-language model", "views": [{"light": "normal", "objects": [], "moving": []}], "text": []}','{"light": "normal", "objects": [], "counts": {}, "moving": [], "moving_share": 0.0, "lines": [{"text": "", "box": [0.3891, 0.0, 0.6438, 0.9816], "print": "vb6/wMHBwsLCxMXHx8XDw8TFxMXFxcXGyMvO0NLT1dbX2Nrb3d7f4b6/wMHCw8TFxsfIycbAwMHCw8PFx8nJycnKys3S1NXW19jZ2tzd3d6/wMHCwsPDwb+9uKtuTFhaWlxeXl5gYmRlZWZvldDS0tHR0dLU1dbWu7y9vr+/vr28urane3F0dHNyc3R0dHR1d3l7g5DGy8zMzMzNztDQ0A=="}], "picture": "fW5jgnFnhHRph3ZriXhtmY2HwL2/wr2/wLq62NXa4+HmdWpkVE1JVi4vh0BCfDAxfW9kgXFnhXVqhnZrgXJplo2JwL6/y8fK0s/T19Xa6OfseG1nW1NOOSkqRiosSy8wfW5kf3BmgXJofW9mcWVfk4yKwL6/ysfJ09DU2Nbb5uXqg3lzZFpVOzc1LCopTEVBfG5ke2xjd2tjcmdfaF5Yl5GQwsDBy8jK0s/T2NXb5uXqkYaBbmNdWlFMVExIY1pUdWhfdGdfcGVebmNcY1lTnJeXw8DCpZyejX18z8nN393in5WPfG5lbWFaZltVZ19Yc2ZfcGRdbWJbaF1XX1VPoZydwr/BioCBbl1bycPH3NneqJ2Zf3BlcmZfaV5YaF9Za2FaemRTaV9YZVtUW1JMp6OlwL2/hXt8ZldUw73A2dbaraOgfW9kcmdfaV9YZl1XZ11Xal1VZVxWYFdRWU9Krqqsv7y9g3l6WElJv7m709DTsKekfG5kcmdeaF5XZVxVYllTZFpVYlhSXVROWFBLsq2vvbm7urW3urS1y8fI0M3Ps6upjn90cmZeal9YYVhS"}','[12800]',5.71681999645079486072e-01,4.88592300007439916953e+00,8.52506850005738670006e+01,0.0,1.05626999356900341808e-01,8.67560179995052749291e+01,NULL,NULL,1795562873683,NULL,0,NULL,NULL,NULL);
INSERT INTO segments VALUES ('rzlpbdlthokq6jri',6,3000,3500,'said','The picture has changed all across the picture.',NULL,'{"label": "object tags, not a vision-language model", "views": [{"light": "normal", "objects": [{"name": "car", "counts": [1], "score": 0.313}], "moving": []}], "text": []}','{"light": "normal", "objects": [{"name": "car", "box": [0.0016, 0.5135, 0.3831, 0.9853]}], "counts": {"car": 1}, "moving": [], "moving_share": 0.0, "lines": [], "picture": "OjcxUUxGNjcySUdDPj46TkxIODo2LDEvPkA8R0Q8XFZMhH1xsKuitbCos7GoraujRkE4raacg31zlY2Ck42CeG9iamhigYF9fn13QT43MzMtMzQxKzMxKzMyOEA/ZGhlamJXrqebqaacjIiAwsG+Tk9KSExMT1JTjIqAV1ZQY2ReRklFSEpEKiwpKCspSUxIP0NBU1ZUxcS9TFFPbG9siImDYGJjW1pYWllTRURBNDMwLS0rLS4rKispKywqLC0rMTU0Nzw6jYl8gH52YmVjXl5aW1tYWlVQVlFOWlVSWVJPW1RSXVxZMzUyLSwmKi0nZ2lmd3t4ycjFkIyFOzw3KionLC4rUkxHUUA+UD06UD88TkA9TkZCJCcmJSciNTcvZGFZY2VhWFVPLi4pLS8pKConIyUjLzAtNjUzNjUzMjEvMjIvLi4rKi0pTkxDU1RLa2VWRkM9UEpAdWxbbGVWWFhSPkA8WllVcW9shIF+k4+Mn5uYr6qlyMW/9PX3+Pr9Gx0ZHR4ZJCUgMzIrXVxVtbe0v8G+wsXEwsTDwcTCv8K+vsC8vL66ury4ubu4ubq3"}','[38400]',5.06585000039194710552e-01,1.40255079995768028311e+01,8.07968150002125184983e+01,0.0,1.54790999658871442079e-01,8.24871149998216424137e+01,NULL,NULL,1795562873703,NULL,0,NULL,NULL,NULL);
CREATE TABLE tokens (
	digest VARCHAR(64) NOT NULL, 
	name VARCHAR(64), 
	created_ms BIGINT NOT NULL, 
	used_ms BIGINT, 
	until_ms BIGINT, scopes JSON, 
	CONSTRAINT pk_tokens PRIMARY KEY (digest), 
	CONSTRAINT uq_tokens_name UNIQUE (name)
);
INSERT INTO tokens VALUES ('35b52812ea3bb191dbf1fc92de13fa0784f4b0ab1d4255cf6434714cb5edd447','nightly',1795562871176,NULL,NULL,NULL);
CREATE TABLE search_words (
        id INTEGER PRIMARY KEY, job_id VARCHAR(16) NOT NULL, segment_index INTEGER NOT NULL,
        UNIQUE (job_id, segment_index)
    );
INSERT INTO search_words VALUES (1,'4bxf45irxbuogv53',0);
INSERT INTO search_words VALUES (2,'4bxf45irxbuogv53',1);
INSERT INTO search_words VALUES (3,'4bxf45irxbuogv53',2);
INSERT INTO search_words VALUES (4,'xeqbqrgdk67tt7jq',0);
INSERT INTO search_words VALUES (5,'xeqbqrgdk67tt7jq',1);
INSERT INTO search_words VALUES (6,'rzlpbdlthokq6jri',0);
INSERT INTO search_words VALUES (7,'rzlpbdlthokq6jri',4);
INSERT INTO search_words VALUES (8,'rzlpbdlthokq6jri',1);
INSERT INTO search_words VALUES (9,'rzlpbdlthokq6jri',5);
INSERT INTO search_words VALUES (10,'rzlpbdlthokq6jri',2);
INSERT INTO search_words VALUES (11,'rzlpbdlthokq6jri',6);
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
INSERT INTO workers VALUES ('vm-1d746641-4026531836-15619','vm',15619,'builtin',2,1795562871320,1795562871321,269451264,NULL,NULL,NULL);
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
	failure_text TEXT, 
	CONSTRAINT pk_uploads PRIMARY KEY (id)
);
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
INSERT INTO chunks VALUES (1,'4bxf45irxbuogv53',0,3,3,NULL,NULL,0,NULL,NULL,NULL,1);
INSERT INTO chunks VALUES (2,'xeqbqrgdk67tt7jq',0,4,2,NULL,NULL,1,NULL,NULL,NULL,1);
INSERT INTO chunks VALUES (3,'xeqbqrgdk67tt7jq',4,8,4,NULL,NULL,1,NULL,NULL,NULL,1);
INSERT INTO chunks VALUES (4,'xeqbqrgdk67tt7jq',8,12,8,NULL,NULL,0,NULL,NULL,NULL,1);
INSERT INTO chunks VALUES (5,'xeqbqrgdk67tt7jq',12,16,12,NULL,NULL,0,NULL,NULL,NULL,1);
INSERT INTO chunks VALUES (6,'xeqbqrgdk67tt7jq',16,20,16,NULL,NULL,0,NULL,NULL,NULL,1);
INSERT INTO chunks VALUES (7,'rzlpbdlthokq6jri',0,4,3,'vm-1d746641-4026531836-15619-d6u4zff6nojr3fxc',1795562898685,1,NULL,NULL,NULL,1);
INSERT INTO chunks VALUES (8,'rzlpbdlthokq6jri',4,8,7,'vm-1d746641-4026531836-15619-k5akk4flvn5pvc7n',1795562898705,1,NULL,NULL,NULL,1);
INSERT INTO chunks VALUES (9,'rzlpbdlthokq6jri',8,12,8,NULL,NULL,0,NULL,NULL,NULL,1);
INSERT INTO chunks VALUES (10,'rzlpbdlthokq6jri',12,16,12,NULL,NULL,0,NULL,NULL,NULL,1);
INSERT INTO chunks VALUES (11,'rzlpbdlthokq6jri',16,20,16,NULL,NULL,0,NULL,NULL,NULL,1);
CREATE TABLE additions (
	job_id VARCHAR(16) NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	asked_ms BIGINT NOT NULL, 
	finished_ms BIGINT, 
	failure_kind VARCHAR(16), 
	failure_text TEXT, 
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
CREATE VIEW search_texts AS
    SELECT w.id AS id, coalesce(s.correction, s.text) AS text
    FROM search_words w JOIN segments s ON s.job_id = w.job_id AND s."index" = w.segment_index;
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
CREATE TRIGGER search_added AFTER INSERT ON segments BEGIN 
    INSERT INTO search_words (job_id, segment_index)
    SELECT new.job_id, new."index" WHERE coalesce(new.correction, new.text) <> '';
    INSERT INTO search_stems (rowid, text)
    SELECT id, coalesce(new.correction, new.text) FROM search_words
    WHERE job_id = new.job_id AND segment_index = new."index";
    INSERT INTO search_plain (rowid, text)
    SELECT id, coalesce(new.correction, new.text) FROM search_words
    WHERE job_id = new.job_id AND segment_index = new."index";
 END;
CREATE TRIGGER search_removed BEFORE DELETE ON segments BEGIN 
    INSERT INTO search_stems (search_stems, rowid, text)
    SELECT 'delete', id, coalesce(old.correction, old.text) FROM search_words
    WHERE job_id = old.job_id AND segment_index = old."index";
    INSERT INTO search_plain (search_plain, rowid, text)
    SELECT 'delete', id, coalesce(old.correction, old.text) FROM search_words
    WHERE job_id = old.job_id AND segment_index = old."index";
    DELETE FROM search_words WHERE job_id = old.job_id AND segment_index = old."index";
 END;
CREATE TRIGGER search_changed AFTER UPDATE OF text, correction ON segments BEGIN 
    INSERT INTO search_stems (search_stems, rowid, text)
    SELECT 'delete', id, coalesce(old.correction, old.text) FROM search_words
    WHERE job_id = old.job_id AND segment_index = old."index";
    INSERT INTO search_plain (search_plain, rowid, text)
    SELECT 'delete', id, coalesce(old.correction, old.text) FROM search_words
    WHERE job_id = old.job_id AND segment_index = old."index";
    DELETE FROM search_words WHERE job_id = old.job_id AND segment_index = old."index";
 
    INSERT INTO search_words (job_id, segment_index)
    SELECT new.job_id, new."index" WHERE coalesce(new.correction, new.text) <> '';
    INSERT INTO search_stems (rowid, text)
    SELECT id, coalesce(new.correction, new.text) FROM search_words
    WHERE job_id = new.job_id AND segment_index = new."index";
    INSERT INTO search_plain (rowid, text)
    SELECT id, coalesce(new.correction, new.text) FROM search_words
    WHERE job_id = new.job_id AND segment_index = new."index";
 END;
CREATE INDEX ix_segments_created_ms ON segments (created_ms);
CREATE INDEX ix_uploads_until_ms ON uploads (until_ms);
CREATE INDEX ix_kept_answers_created_ms ON kept_answers (created_ms);
CREATE INDEX ix_deliveries_due_ms ON deliveries (due_ms);
CREATE INDEX ix_deliveries_webhook_id_created_ms ON deliveries (webhook_id, created_ms);
CREATE INDEX ix_chunks_lease_until_ms ON chunks (lease_until_ms);

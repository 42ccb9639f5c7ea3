SELECT pg_catalog.set_config('search_path', '', false);
CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE public.chunks (
    id bigint NOT NULL,
    job_id character varying(16) NOT NULL,
    first integer NOT NULL,
    stop integer NOT NULL,
    cursor integer NOT NULL,
    owner character varying(64),
    lease_until_ms bigint,
    attempts integer NOT NULL,
    failure_kind character varying(16),
    failure_text text,
    partial_text text
);
CREATE SEQUENCE public.chunks_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.chunks_id_seq OWNED BY public.chunks.id;
CREATE TABLE public.jobs (
    id character varying(16) NOT NULL,
    video_id character varying(16) NOT NULL,
    filename text NOT NULL,
    commentator character varying(32) NOT NULL,
    parameters json NOT NULL,
    window_count integer NOT NULL,
    state character varying(16) NOT NULL,
    priority integer NOT NULL,
    created_ms bigint NOT NULL,
    started_ms bigint,
    finished_ms bigint,
    running_since_ms bigint,
    ran_ms bigint NOT NULL,
    failure_kind character varying(16),
    failure_text text,
    failure_window integer,
    hint_epoch integer NOT NULL,
    hinted_ms bigint NOT NULL,
    networks json DEFAULT '[]'::json NOT NULL
);
CREATE TABLE public.segments (
    job_id character varying(16) NOT NULL,
    index integer NOT NULL,
    start_ms bigint NOT NULL,
    end_ms bigint NOT NULL,
    kind character varying(16) NOT NULL,
    text text NOT NULL,
    reason text,
    facts json,
    memory json,
    frame_pts json NOT NULL,
    waiting_ms double precision NOT NULL,
    decode_ms double precision NOT NULL,
    vision_ms double precision NOT NULL,
    prefill_ms double precision NOT NULL,
    generate_ms double precision NOT NULL,
    total_ms double precision NOT NULL,
    tokens_in integer,
    tokens_out integer,
    created_ms bigint NOT NULL
);
CREATE TABLE public.videos (
    id character varying(16) NOT NULL,
    sha256 character varying(64) NOT NULL,
    size_bytes bigint NOT NULL,
    created_ms bigint NOT NULL,
    container character varying(64) NOT NULL,
    codec character varying(64) NOT NULL,
    stream_index integer NOT NULL,
    width integer NOT NULL,
    height integer NOT NULL,
    time_base character varying(32) NOT NULL,
    origin_pts bigint NOT NULL,
    last_pts bigint NOT NULL,
    end_pts bigint NOT NULL,
    frame_count bigint NOT NULL,
    has_audio boolean NOT NULL,
    mime_type character varying(32) NOT NULL,
    warnings json NOT NULL
);
ALTER TABLE ONLY public.chunks ALTER COLUMN id SET DEFAULT nextval('public.chunks_id_seq'::regclass);
INSERT INTO public.alembic_version VALUES ('0002');
INSERT INTO public.chunks VALUES (1, 'ozmckh3s5uyq47m7', 0, 3, 3, NULL, NULL, 0, NULL, NULL, NULL);
INSERT INTO public.chunks VALUES (2, '5avnt47fhzvcecye', 0, 4, 1, NULL, NULL, 1, NULL, NULL, NULL);
INSERT INTO public.chunks VALUES (3, '5avnt47fhzvcecye', 4, 8, 5, NULL, NULL, 1, NULL, NULL, NULL);
INSERT INTO public.chunks VALUES (4, '5avnt47fhzvcecye', 8, 12, 8, NULL, NULL, 0, NULL, NULL, NULL);
INSERT INTO public.chunks VALUES (5, '5avnt47fhzvcecye', 12, 16, 12, NULL, NULL, 0, NULL, NULL, NULL);
INSERT INTO public.chunks VALUES (6, '5avnt47fhzvcecye', 16, 20, 16, NULL, NULL, 0, NULL, NULL, NULL);
INSERT INTO public.chunks VALUES (7, 'yz34kzl7koohaxkp', 0, 4, 3, 'vm-17907-4movgdaovudkrexk', 1795545802092, 1, NULL, NULL, NULL);
INSERT INTO public.chunks VALUES (8, 'yz34kzl7koohaxkp', 4, 8, 7, 'vm-17907-q6gjvmkr7zajwlxl', 1795545802236, 1, NULL, NULL, NULL);
INSERT INTO public.chunks VALUES (9, 'yz34kzl7koohaxkp', 8, 12, 8, NULL, NULL, 0, NULL, NULL, NULL);
INSERT INTO public.chunks VALUES (10, 'yz34kzl7koohaxkp', 12, 16, 12, NULL, NULL, 0, NULL, NULL, NULL);
INSERT INTO public.chunks VALUES (11, 'yz34kzl7koohaxkp', 16, 20, 16, NULL, NULL, 0, NULL, NULL, NULL);
INSERT INTO public.jobs VALUES ('ozmckh3s5uyq47m7', 'nyfv4lksg6ebikrp', 'done.mp4', 'builtin', '{"commentator": "builtin", "capture_fps": "2", "frames_per_inference": 4, "frame_stride": 2, "window_hop": 8, "change_threshold": 0.0, "max_new_tokens": 96}', 3, 'done', 0, 1795545768173, 1795545768340, 1795545769853, NULL, 1513, NULL, NULL, NULL, 1, 1795545768340, '[]');
INSERT INTO public.jobs VALUES ('5avnt47fhzvcecye', 'nyfv4lksg6ebikrp', 'cancelled.mp4', 'builtin', '{"commentator": "builtin", "capture_fps": "2", "frames_per_inference": 1, "frame_stride": 1, "window_hop": 1, "change_threshold": 0.0, "max_new_tokens": 96}', 20, 'cancelled', 0, 1795545769895, 1795545769915, 1795545770565, NULL, 650, NULL, NULL, NULL, 1, 1795545769920, '[]');
INSERT INTO public.jobs VALUES ('yz34kzl7koohaxkp', 'nyfv4lksg6ebikrp', 'open.mp4', 'builtin', '{"commentator": "builtin", "capture_fps": "2", "frames_per_inference": 1, "frame_stride": 1, "window_hop": 1, "change_threshold": 0.0, "max_new_tokens": 96}', 20, 'running', 0, 1795545770573, 1795545770803, NULL, 1795545770803, 0, NULL, NULL, NULL, 1, 1795545770913, '[]');
INSERT INTO public.segments VALUES ('ozmckh3s5uyq47m7', 0, 0, 4000, 'said', 'No object recognised; a large part of the picture changes; then a new view: a car at the left; most of the picture changes.', NULL, '{"label": "object tags, not a vision-language model", "views": [{"light": "normal", "objects": [], "moving": [["left", "middle", "right"]]}, {"light": "normal", "objects": [{"name": "car", "counts": [1, 1], "score": 0.608}], "moving": [["left", "middle", "right"]]}], "text": []}', '{"light": "normal", "objects": [{"name": "car", "box": [0.0016, 0.5135, 0.3831, 0.9853]}], "counts": {"car": 1}, "moving": ["left", "middle", "right"], "moving_share": 0.6936, "lines": [], "picture": "OjcxUUxGNjcySUdDPj46TkxIODo2LDEvPkA8R0Q8XFZMhH1xsKuitbCos7GoraujRkE4raacg31zlY2Ck42CeG9iamhigYF9fn13QT43MzMtMzQxKzMxKzMyOEA/ZGhlamJXrqebqaacjIiAwsG+Tk9KSExMT1JTjIqAV1ZQY2ReRklFSEpEKiwpKCspSUxIP0NBU1ZUxcS9TFFPbG9siImDYGJjW1pYWllTRURBNDMwLS0rLS4rKispKywqLC0rMTU0Nzw6jYl8gH52YmVjXl5aW1tYWlVQVlFOWlVSWVJPW1RSXVxZMzUyLSwmKi0nZ2lmd3t4ycjFkIyFOzw3KionLC4rUkxHUUA+UD06UD88TkA9TkZCJCcmJSciNTcvZGFZY2VhWFVPLi4pLS8pKConIyUjLzAtNjUzNjUzMjEvMjIvLi4rKi0pTkxDU1RLa2VWRkM9UEpAdWxbbGVWWFhSPkA8WllVcW9shIF+k4+Mn5uYr6qlyMW/9PX3+Pr9Gx0ZHR4ZJCUgMzIrXVxVtbe0v8G+wsXEwsTDwcTCv8K+vsC8vL66ury4ubu4ubq3"}', '[0, 12800, 25600, 38400]', 253.5496369998782, 30.306252000173117, 507.22627200002535, 0, 0.252645000045959, 792.0759849998831, NULL, NULL, 1795545769141);
INSERT INTO public.segments VALUES ('ozmckh3s5uyq47m7', 1, 4000, 8000, 'said', 'A new view: no object recognised; then a new view: part of a person in the middle; then a new view: at least 3 cars; a large part of the picture changes.', NULL, '{"label": "object tags, not a vision-language model", "views": [{"light": "normal", "objects": [], "moving": []}, {"light": "normal", "objects": [{"name": "person", "counts": [1], "score": 0.811}], "moving": []}, {"light": "normal", "objects": [{"name": "car", "counts": [3, 3], "score": 0.619}], "moving": [["left", "middle", "right"]]}], "text": []}', '{"light": "normal", "objects": [{"name": "car", "box": [0.8177, 0.3657, 0.9407, 0.5899]}, {"name": "car", "box": [0.5841, 0.431, 0.6941, 0.5968]}], "counts": {"car": 3}, "moving": ["left", "middle", "right"], "moving_share": 0.2144, "lines": [{"text": "", "box": [0.4625, 0.4118, 0.5703, 0.4779], "print": "qJiNrsXJvK3DxsKoioWeqJihoYd0f4J3YlplZ2dqbW5sc1hKQjw+O2mYkrTFxsGlx8nMonWAoq6TsLisiKCyrHuInKihsbyym7m2wptDR0I5TIm9tKeejauZo4eMop6LeZiPiYKjpYltgoGZlqmtl3t7epSAREA+LjE0VI6lnYV9eHl9ho6WkYqYj4ODioiEhoyIiIqMioWDgYGBfH59fA=="}], "picture": "YVpYWFFOZF1baF9dfHFriYSCiISCh4SEsK6uw8HAvL2+u7y+p6anend1a2BaZWBaTk1QSERBWFNQTkxLcmtol5KQYF1bhYB+h3BokXpvta+qpZqVd29rZllWb2pkREE+R0NDTUZEWU9LZWBdVlFOcGplZF5bhH57fnVwgHRtgXhxgXdxcmpiZltYY11YTUlFX2BhVUxKWE9NSEtMRkZGQkNCLC4tZmViZ2djZV9cfHl3XltWXllTY2NibGpnXFhSP0A8g2tii4R5ioV9WFVUU1JPJCgnW1VLlZGJb2ZhYFlZNjk2a2pmUVNPRkdDOz46gH13W1tVpqKcrqqla2pmUVFOJysoeXBmhIF7k4+KeHZwSUxHpKCYZmVfb21oVVVNp6OcmJWNY2NcnpyVgoF7hYJ9MDUwh4J7tbCqbmxlsq2lVllSsaujjImDkpGKb3FrqKScrKigpqKaQUM7nZmShoJ9MzUtjIR8mJSNs62ljIiBV1lSmpiSsKyloJ2VWFxUqaaframihoR8jIiAYV5Wj4uFNTkxenVtsKykr6qjkIyGSktEkI6GjYt/iYd5VFNE"}', '[51200, 64000, 76800, 89600]', 1.499465000051714, 37.23617600007856, 453.3275709998179, 0, 0.17580100006853172, 457.66906300013943, NULL, NULL, 1795545769604);
INSERT INTO public.segments VALUES ('ozmckh3s5uyq47m7', 2, 8000, 10000, 'said', 'A new view: no object recognised; a large part of the picture changes.', NULL, '{"label": "object tags, not a vision-language model", "views": [{"light": "normal", "objects": [], "moving": [["left", "middle", "right"]]}], "text": []}', '{"light": "normal", "objects": [], "counts": {}, "moving": ["left", "middle", "right"], "moving_share": 0.322, "lines": [], "picture": "vLSocG5oTU5QYWNioKCb3t3U09LIeHRtWlxYVllWRUdFPD88PD88MTQxOz44YmNZpJ6Tc3BqS01OWl1clJKNzszByMa8f3xzYmJdSUpGX19aZWRdYWFbZmhhW11XT1JLo6CWenZvS0xNWVtajIuGxsO6s7GpqqqlamtpQUJAVldTV1lVRkhDREZCRUhDVlpTi4qAi4mDUVNSWFpapKSegYqFj5CKjIuFTk1KT1BOX2FeVVhVWFpYYmRgaGplfoJ6dXZuk5GIaWhiZGNehYV/SU1GhYiBY2NeU1NOJigoKiwsISMiMTMyHB0cR0pFd3pxioh+kI2Ci4h/gX51gX10TU9Je3xzSEhERkhGV1hVIyQkJCUkIiUjKSonS0xHdnlwoJ6Vp6OYq6idraicqaSZWVxViYh+lpSLd3VuXl1YSEhESklFPj87Pz05WlpTd3hum5mNoZ6To6GWp6KWqaSZVVtUjIuBq6idr62jr66iq6eaqaWZpqOZoJ2TmZiOkZGFj46CkpGEn6CVpKKVqKWZVFpVkJCHqqOVq6idsa+ksq2hsqyftbCjtK6gsKmYqqeX"}', '[102400, 115200]', 0.8253550001882104, 16.974778999838236, 229.93778800014297, 0, 0.15901599999779137, 233.14996500016605, NULL, NULL, 1795545769844);
INSERT INTO public.segments VALUES ('5avnt47fhzvcecye', 4, 2000, 2500, 'said', 'A car at the left.', NULL, '{"label": "object tags, not a vision-language model", "views": [{"light": "normal", "objects": [{"name": "car", "counts": [1], "score": 0.608}], "moving": []}], "text": []}', '{"light": "normal", "objects": [{"name": "car", "box": [0.0016, 0.5135, 0.3831, 0.9853]}], "counts": {"car": 1}, "moving": [], "moving_share": 0.0, "lines": [], "picture": "Gx8gHSEeS0c/RUI8QEA7QkE9Pz47SklELjAuLTExamlgPTs1WlRKk46FpKCYpaCZGyAgLC4qYVlMlZGJd3JqbWZbdnFpn5uRUk5HYGBdWFVNODYxKCklTlFPUVRTSk1ORUM+RkI6fXJisaiZy8nBioV4tLSvkJCJQENEW19cWllUOzo1JigkLjIzMjg5Mjg5cnBoiYqHSk5MTVBQyMnEbXNtQ0hIqKmhYWNicnV0eXp2MC8qIyUiKS0uKi4wOT8/REZEqqifRUdEOz8/b25lk5GIbHBwtbSvZGJZNDY2Pjs2MC8qICMfJissJywuJSosop+ZnJqUfn98eXx6sLCswLuwcHFsiYJza2JTODYyTEY/MjMvHyIgOz8/ODs7MjU2VlhYXmBfaWxqbG5rd3ZwfnBeVVNMdW9jcmtdNzgypaCWMjIsHyEdamxob3FudXh0Mzg5Q0lIQ0hJUVVXZGRidWhXMC4pWlNGZl1PgHVmf3xwWFVJJCYhOjw5cHNvSU1LLjI0OkA/OkBAQUZITlJSYl9aNTMuYFdLfXBeV1BFRkE3XlVHT09HQkE8amtlKi0s"}', '[25600]', 277.2164159998738, 22.74536300001273, 271.3288099998863, 0, 0.14470399992205785, 550.2215629999228, NULL, NULL, 1795545770478);
INSERT INTO public.segments VALUES ('5avnt47fhzvcecye', 0, 0, 500, 'said', 'No object recognised.', NULL, '{"label": "object tags, not a vision-language model", "views": [{"light": "normal", "objects": [], "moving": []}], "text": []}', '{"light": "normal", "objects": [], "counts": {}, "moving": [], "moving_share": 0.0, "lines": [{"text": "", "box": [0.0688, 0.6544, 0.1234, 0.8199], "print": "YWFhYmJiYmJiYWFhYVxfYWJjZGRkZGRiY2RlZGRjYWFhYWFhYWFgX2FhYWFhYmJiYFxcZGRudXd4d3RycmlhbHR2cnFxc3Z5cmxmY2NhYWFeXl5eXmBbV15nb3JycnFvbF1fbGxpam9ydnh3d3RtaGRiYWBgYGBgXl9cVVVUWV5hYmJiYmJhX15hYmFhYWJlaGdiY2NjX19eXl5eXl9fXw=="}], "picture": "cGRdcmdfcGVebmNcaF1YfHNxxcLDqaGji3t51dHW5+Xpg3VscmdgaF1Wa2FabGNcb2RdcGVecGVebWJcZVxWhH17xcPEoZiYgG9s1dHW6ejtiXtyfG9mcGVecGZfb2ZebmNcb2RdbmRca2BaZFpVjYaFxcPEmpGTa11c08/S4t/kkYR8fnJodGhhcGZfbmVfbmNcbWJbbGFbaV9ZY1lTlY+OxMLDxsPFx8LE19TY1NDRmY2GgXNpdWpib2VdbmVeamBZa2BZa2FaaF5YYVdRnZeXw8HCycbI0M3R29nd8vL1oJWOgXNodWlibWRcbGNdbGFaa2BZaV5XZVtUX1RPo5+gwsDByMbI0M3R19TY5uXpppyXgHFmdGlhbGJbamFbaF1Xd2JRZ11WZFpTW1JMrKipwL6/xsTFzsvO09DU2tfcqqGdf3BmdGhha2BaZ15YZlxVaFtUZVpVYFZQWlFLsa2vvrq8xMLDw8DAzcrMzsjJrqWifnBmc2hfaV9YZVxWYlhTY1pUYVdRXFNNXFNQs6+xu7i5wLy+u7SzrqqokYV9sKilkIF2dGhfbGFaYllT"}', '[0]', 215.92402299984315, 3.6085849999381026, 342.69329900007506, 0, 0.09769499979483953, 573.8151339999149, NULL, NULL, 1795545770500);
INSERT INTO public.segments VALUES ('yz34kzl7koohaxkp', 0, 0, 500, 'said', 'No object recognised.', NULL, '{"label": "object tags, not a vision-language model", "views": [{"light": "normal", "objects": [], "moving": []}], "text": []}', '{"light": "normal", "objects": [], "counts": {}, "moving": [], "moving_share": 0.0, "lines": [{"text": "", "box": [0.0688, 0.6544, 0.1234, 0.8199], "print": "YWFhYmJiYmJiYWFhYVxfYWJjZGRkZGRiY2RlZGRjYWFhYWFhYWFgX2FhYWFhYmJiYFxcZGRudXd4d3RycmlhbHR2cnFxc3Z5cmxmY2NhYWFeXl5eXmBbV15nb3JycnFvbF1fbGxpam9ydnh3d3RtaGRiYWBgYGBgXl9cVVVUWV5hYmJiYmJhX15hYmFhYWJlaGdiY2NjX19eXl5eXl9fXw=="}], "picture": "cGRdcmdfcGVebmNcaF1YfHNxxcLDqaGji3t51dHW5+Xpg3VscmdgaF1Wa2FabGNcb2RdcGVecGVebWJcZVxWhH17xcPEoZiYgG9s1dHW6ejtiXtyfG9mcGVecGZfb2ZebmNcb2RdbmRca2BaZFpVjYaFxcPEmpGTa11c08/S4t/kkYR8fnJodGhhcGZfbmVfbmNcbWJbbGFbaV9ZY1lTlY+OxMLDxsPFx8LE19TY1NDRmY2GgXNpdWpib2VdbmVeamBZa2BZa2FaaF5YYVdRnZeXw8HCycbI0M3R29nd8vL1oJWOgXNodWlibWRcbGNdbGFaa2BZaV5XZVtUX1RPo5+gwsDByMbI0M3R19TY5uXpppyXgHFmdGlhbGJbamFbaF1Xd2JRZ11WZFpTW1JMrKipwL6/xsTFzsvO09DU2tfcqqGdf3BmdGhha2BaZ15YZlxVaFtUZVpVYFZQWlFLsa2vvrq8xMLDw8DAzcrMzsjJrqWifnBmc2hfaV9YZVxWYlhTY1pUYVdRXFNNXFNQs6+xu7i5wLy+u7SzrqqokYV9sKilkIF2dGhfbGFaYllT"}', '[0]', 225.4297790000237, 5.043053999997937, 218.09066800005894, 0, 0.09557199996379495, 445.08029200005694, NULL, NULL, 1795545771280);
INSERT INTO public.segments VALUES ('yz34kzl7koohaxkp', 4, 2000, 2500, 'said', 'A car at the left.', NULL, '{"label": "object tags, not a vision-language model", "views": [{"light": "normal", "objects": [{"name": "car", "counts": [1], "score": 0.608}], "moving": []}], "text": []}', '{"light": "normal", "objects": [{"name": "car", "box": [0.0016, 0.5135, 0.3831, 0.9853]}], "counts": {"car": 1}, "moving": [], "moving_share": 0.0, "lines": [], "picture": "Gx8gHSEeS0c/RUI8QEA7QkE9Pz47SklELjAuLTExamlgPTs1WlRKk46FpKCYpaCZGyAgLC4qYVlMlZGJd3JqbWZbdnFpn5uRUk5HYGBdWFVNODYxKCklTlFPUVRTSk1ORUM+RkI6fXJisaiZy8nBioV4tLSvkJCJQENEW19cWllUOzo1JigkLjIzMjg5Mjg5cnBoiYqHSk5MTVBQyMnEbXNtQ0hIqKmhYWNicnV0eXp2MC8qIyUiKS0uKi4wOT8/REZEqqifRUdEOz8/b25lk5GIbHBwtbSvZGJZNDY2Pjs2MC8qICMfJissJywuJSosop+ZnJqUfn98eXx6sLCswLuwcHFsiYJza2JTODYyTEY/MjMvHyIgOz8/ODs7MjU2VlhYXmBfaWxqbG5rd3ZwfnBeVVNMdW9jcmtdNzgypaCWMjIsHyEdamxob3FudXh0Mzg5Q0lIQ0hJUVVXZGRidWhXMC4pWlNGZl1PgHVmf3xwWFVJJCYhOjw5cHNvSU1LLjI0OkA/OkBAQUZITlJSYl9aNTMuYFdLfXBeV1BFRkE3XlVHT09HQkE8amtlKi0s"}', '[25600]', 296.88518399984787, 20.195878999857086, 326.5826509998533, 0, 0.13491000004250964, 624.9611609998738, NULL, NULL, 1795545771545);
INSERT INTO public.segments VALUES ('yz34kzl7koohaxkp', 1, 500, 1000, 'said', 'The picture has changed in the middle and at the right.', NULL, '{"label": "object tags, not a vision-language model", "views": [{"light": "normal", "objects": [], "moving": []}], "text": []}', '{"light": "normal", "objects": [], "counts": {}, "moving": [], "moving_share": 0.0, "lines": [{"text": "", "box": [0.3656, 0.0, 0.6656, 0.9963], "print": "uru9v8HCw8TGx8fGxsW6paKhoKChoqKkp6/E09PT1NXW19jY2dnc4Lu9v8HDxMXGx8fIycnKysrLzM3P0dLS0dLT1NbX19fX2dvd3+Dh4eO7vb/AwcLCw8XFxsfIx8fHyMnKzM3Ozs/Q0dDT1dPU19nb3N3e3t/gubq7u7y8vL29vsDBuqKipKWlpKSnqKioqaqtvMfMzc7Q0dPU1NXW2A=="}], "picture": "eWtie2xkd2tjcmZga2BafXVyw7/Bpp+hdmlq08/T39zheW1mXVRPLCYmKiUmVUtHcmdfc2hhc2hhb2RdZ11XhX57xMHDzMnN0c7T19TY4t/lfnNtaF5YUkpGUktHZ15XcGVecGVecGVebGJbZFtVjIWExcHDzcrO09HW2NXa4+LnjYF5d2pjamBYaV9YbGNcb2RdbWJbbWJcamBZY1lSk42MxcLDy8jM0s/U2dfc5uXqmY2Gf3Joc2dfbWJbbWRda2FabGFaa2FaaF5XYVdRm5aVxMLEy8jM0c7R2Nbb4+LnoZaQgXJodGlhbWNbbGNcbGFba2BaaV9XZVtUXlROoJydxMHDycbK0c7S19Xa4uHmqJ6agHFndGlhbGJbamFbaF5Xd2JRZ11WZFlTW1FMqKOlwb7AxsTFzsvO1tPX393irqShfnBmc2hgamBZZ15YZVxVaFtUZFtVYFdRWU9Krqqsvru9xcLDycbI0s7S29jdsqmnfW9lc2dfaF5XZFtVYlhTY1pUYVdSXVROWVBNsa6vvbm7l46PhHd2wry+1NHVta2skIF2c2dfa2BZYVhS"}', '[6656]', 3.9445540000997426, 13.067180999996708, 300.2952629999527, 0, 0.12029899994558946, 306.24098599992067, NULL, NULL, 1795545771601);
INSERT INTO public.segments VALUES ('yz34kzl7koohaxkp', 5, 2500, 3000, 'said', 'The picture has changed all across the picture.', NULL, '{"label": "object tags, not a vision-language model", "views": [{"light": "normal", "objects": [{"name": "car", "counts": [1], "score": 0.44}], "moving": []}], "text": []}', '{"light": "normal", "objects": [{"name": "car", "box": [0.0016, 0.5135, 0.3831, 0.9853]}], "counts": {"car": 1}, "moving": [], "moving_share": 0.0, "lines": [], "picture": "GRweHiIhR0M8TUpDOzs3RUM/Pj06TUtHLjEvKy8vVFRMQ0A6V1FHmZOIq6efqaegGh8eKSsoVk9EtK6klY+HhHtumpWMlI2CYl9adXVwaGJXPDkzJygkPUA/RklKQkVGQDw4SUQ9dm5hsaqesq+neHZuubu3X2BcQkVHRUlKa2piOjkzKComKzAwMjg5NTs8XlVTVE9NUUpLX1xbra2pREhHVVlYl5iQcHJxe318m5ePOzozJSckKCwsKS0vNDo6PjQyPzUzQzg3QTo5NDUzj42Gf4F/zMnCSklFOjk2b2NSOTgyIyUiJiosKCwuJystKykmNzQwSUQ/S0hBZWFanZiOlI+GmZGFfndwaWZhZF9VLy8qICMgR0lJREdHOTs8V1ROhIJ7paWgrrCstbe2ubq5vL69w8XEyszL0dPSz9DOn56aS0xHY2VgZWdjMzU0ZGdlZGZlY2VkY2VlZGZkZWdnZmhmaWppbG1sbnBvc3Rzent4ent3c3RvMjQtHiEdLDAwLjEzMDQ1MjY4Mzc4MzY5Njk7PUFDQkVHR0pMSk1PTVJTWF1eWVxbaWleGx4Z"}', '[32256]', 2.9073240000343503, 13.844604000041727, 381.0883129999638, 0, 0.1092620000235911, 389.3521560000863, NULL, NULL, 1795545771957);
INSERT INTO public.segments VALUES ('yz34kzl7koohaxkp', 2, 1000, 1500, 'said', 'The picture has changed in the middle and at the right.', NULL, '{"label": "object tags, not a vision-language model", "views": [{"light": "normal", "objects": [], "moving": []}], "text": []}', '{"light": "normal", "objects": [], "counts": {}, "moving": [], "moving_share": 0.0, "lines": [{"text": "", "box": [0.3891, 0.0, 0.6438, 0.9816], "print": "vb6/wMHBwsLCxMXHx8XDw8TFxMXFxcXGyMvO0NLT1dbX2Nrb3d7f4b6/wMHCw8TFxsfIycbAwMHCw8PFx8nJycnKys3S1NXW19jZ2tzd3d6/wMHCwsPDwb+9uKtuTFhaWlxeXl5gYmRlZWZvldDS0tHR0dLU1dbWu7y9vr+/vr28urane3F0dHNyc3R0dHR1d3l7g5DGy8zMzMzNztDQ0A=="}], "picture": "fW5jgnFnhHRph3ZriXhtmY2HwL2/wr2/wLq62NXa4+HmdWpkVE1JVi4vh0BCfDAxfW9kgXFnhXVqhnZrgXJplo2JwL6/y8fK0s/T19Xa6OfseG1nW1NOOSkqRiosSy8wfW5kf3BmgXJofW9mcWVfk4yKwL6/ysfJ09DU2Nbb5uXqg3lzZFpVOzc1LCopTEVBfG5ke2xjd2tjcmdfaF5Yl5GQwsDBy8jK0s/T2NXb5uXqkYaBbmNdWlFMVExIY1pUdWhfdGdfcGVebmNcY1lTnJeXw8DCpZyejX18z8nN393in5WPfG5lbWFaZltVZ19Yc2ZfcGRdbWJbaF1XX1VPoZydwr/BioCBbl1bycPH3NneqJ2Zf3BlcmZfaV5YaF9Za2FaemRTaV9YZVtUW1JMp6OlwL2/hXt8ZldUw73A2dbaraOgfW9kcmdfaV9YZl1XZ11Xal1VZVxWYFdRWU9Krqqsv7y9g3l6WElJv7m709DTsKekfG5kcmdeaF5XZVxVYllTZFpVYlhSXVROWFBLsq2vvbm7urW3urS1y8fI0M3Ps6upjn90cmZeal9YYVhS"}', '[12800]', 3.6484940001173527, 13.0483230000209, 469.68520399991576, 0, 0.0885110000581335, 483.88566600010563, NULL, NULL, 1795545772091);
INSERT INTO public.segments VALUES ('yz34kzl7koohaxkp', 6, 3000, 3500, 'said', 'The picture has changed all across the picture.', NULL, '{"label": "object tags, not a vision-language model", "views": [{"light": "normal", "objects": [{"name": "car", "counts": [1], "score": 0.313}], "moving": []}], "text": []}', '{"light": "normal", "objects": [{"name": "car", "box": [0.0016, 0.5135, 0.3831, 0.9853]}], "counts": {"car": 1}, "moving": [], "moving_share": 0.0, "lines": [], "picture": "OjcxUUxGNjcySUdDPj46TkxIODo2LDEvPkA8R0Q8XFZMhH1xsKuitbCos7GoraujRkE4raacg31zlY2Ck42CeG9iamhigYF9fn13QT43MzMtMzQxKzMxKzMyOEA/ZGhlamJXrqebqaacjIiAwsG+Tk9KSExMT1JTjIqAV1ZQY2ReRklFSEpEKiwpKCspSUxIP0NBU1ZUxcS9TFFPbG9siImDYGJjW1pYWllTRURBNDMwLS0rLS4rKispKywqLC0rMTU0Nzw6jYl8gH52YmVjXl5aW1tYWlVQVlFOWlVSWVJPW1RSXVxZMzUyLSwmKi0nZ2lmd3t4ycjFkIyFOzw3KionLC4rUkxHUUA+UD06UD88TkA9TkZCJCcmJSciNTcvZGFZY2VhWFVPLi4pLS8pKConIyUjLzAtNjUzNjUzMjEvMjIvLi4rKi0pTkxDU1RLa2VWRkM9UEpAdWxbbGVWWFhSPkA8WllVcW9shIF+k4+Mn5uYr6qlyMW/9PX3+Pr9Gx0ZHR4ZJCUgMzIrXVxVtbe0v8G+wsXEwsTDwcTCv8K+vsC8vL66ury4ubu4ubq3"}', '[38400]', 6.116656000131115, 9.546016000058444, 260.64558699999907, 0, 0.1122559999657824, 268.7523960000817, NULL, NULL, 1795545772236);
INSERT INTO public.videos VALUES ('nyfv4lksg6ebikrp', '91028f9d6c72cc8137d8bd05678bdfcf5ab7c8fd9d7b77de70ce7a3ade257bb5', 509868, 1795545768171, 'mov,mp4,m4a,3gp,3g2,mj2', 'h264', 0, 640, 272, '1/12800', 0, 127488, 128000, 250, false, 'video/mp4', '[]');
SELECT pg_catalog.setval('public.chunks_id_seq', 11, true);
ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.chunks
    ADD CONSTRAINT pk_chunks PRIMARY KEY (id);
ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT pk_jobs PRIMARY KEY (id);
ALTER TABLE ONLY public.segments
    ADD CONSTRAINT pk_segments PRIMARY KEY (job_id, index);
ALTER TABLE ONLY public.videos
    ADD CONSTRAINT pk_videos PRIMARY KEY (id);
ALTER TABLE ONLY public.chunks
    ADD CONSTRAINT uq_chunks_job_id_first UNIQUE (job_id, first);
ALTER TABLE ONLY public.videos
    ADD CONSTRAINT uq_videos_sha256 UNIQUE (sha256);
CREATE INDEX ix_chunks_lease_until_ms ON public.chunks USING btree (lease_until_ms);
CREATE INDEX ix_jobs_created_ms ON public.jobs USING btree (created_ms);
CREATE INDEX ix_jobs_state_priority ON public.jobs USING btree (state, priority);
CREATE INDEX ix_jobs_video_id ON public.jobs USING btree (video_id);
CREATE INDEX ix_segments_job_id_created_ms ON public.segments USING btree (job_id, created_ms);
ALTER TABLE ONLY public.chunks
    ADD CONSTRAINT fk_chunks_job_id_jobs FOREIGN KEY (job_id) REFERENCES public.jobs(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT fk_jobs_video_id_videos FOREIGN KEY (video_id) REFERENCES public.videos(id);
ALTER TABLE ONLY public.segments
    ADD CONSTRAINT fk_segments_job_id_jobs FOREIGN KEY (job_id) REFERENCES public.jobs(id) ON DELETE CASCADE;

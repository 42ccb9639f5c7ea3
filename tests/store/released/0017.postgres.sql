SELECT pg_catalog.set_config('search_path', '', false);
CREATE FUNCTION public.search_comment_keep() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
        BEGIN
            IF TG_OP <> 'INSERT' THEN
                DELETE FROM search_words WHERE job_id = OLD.job_id AND source = 'comment' AND part = 0 AND number = OLD."index";
            END IF;
            IF TG_OP <> 'DELETE' THEN
                INSERT INTO search_words (job_id, source, part, number, words)
                SELECT NEW.job_id, 'comment', 0, NEW."index",
                       to_tsvector('english', told) || to_tsvector('simple', told)
                FROM (SELECT coalesce(NEW.correction, NEW.text) AS told) AS one
                WHERE told <> '' AND TRUE;
            END IF;
            RETURN NULL;
        END $$;
CREATE FUNCTION public.search_speech_keep() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
        BEGIN
            IF TG_OP <> 'INSERT' THEN
                DELETE FROM search_words WHERE job_id = OLD.job_id AND source = 'speech' AND part = OLD.piece AND number = OLD.number;
            END IF;
            IF TG_OP <> 'DELETE' THEN
                INSERT INTO search_words (job_id, source, part, number, words)
                SELECT NEW.job_id, 'speech', NEW.piece, NEW.number,
                       to_tsvector('english', told) || to_tsvector('simple', told)
                FROM (SELECT NEW.text AS told) AS one
                WHERE told <> '' AND TRUE;
            END IF;
            RETURN NULL;
        END $$;
CREATE FUNCTION public.search_summary_keep() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
        BEGIN
            IF TG_OP <> 'INSERT' THEN
                DELETE FROM search_words WHERE job_id = OLD.job_id AND source = 'summary' AND part = OLD.level AND number = OLD."index";
            END IF;
            IF TG_OP <> 'DELETE' THEN
                INSERT INTO search_words (job_id, source, part, number, words)
                SELECT NEW.job_id, 'summary', NEW.level, NEW."index",
                       to_tsvector('english', told) || to_tsvector('simple', told)
                FROM (SELECT CASE WHEN NEW.title = '' OR NEW.text = '' THEN NEW.title || NEW.text ELSE NEW.title || ': ' || NEW.text END AS told) AS one
                WHERE told <> '' AND (NEW.is_chapter OR NOT EXISTS (SELECT 1 FROM passages AS higher WHERE higher.job_id = NEW.job_id AND higher.level > NEW.level));
            END IF;
            RETURN NULL;
        END $$;
CREATE TABLE public.additions (
    job_id character varying(16) NOT NULL,
    kind character varying(16) NOT NULL,
    asked_ms bigint NOT NULL,
    finished_ms bigint,
    failure_kind character varying(16),
    failure_text text,
    before json
);
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
    partial_text text,
    stage integer DEFAULT 1 NOT NULL
);
CREATE SEQUENCE public.chunks_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.chunks_id_seq OWNED BY public.chunks.id;
CREATE TABLE public.deliveries (
    id character varying(16) NOT NULL,
    webhook_id character varying(16) NOT NULL,
    event character varying(32) NOT NULL,
    job_id character varying(16) NOT NULL,
    body text NOT NULL,
    created_ms bigint NOT NULL,
    state character varying(16) NOT NULL,
    round integer NOT NULL,
    due_ms bigint,
    attempts json NOT NULL
);
CREATE TABLE public.fetches (
    id character varying(16) NOT NULL,
    kind character varying(16) NOT NULL,
    address text NOT NULL,
    validator text,
    owner character varying(64),
    lease_until_ms bigint,
    due_ms bigint NOT NULL,
    attempts integer NOT NULL,
    trouble text,
    watched_key character varying(64)
);
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
    networks json DEFAULT '[]'::json NOT NULL,
    source_id character varying(16),
    windows_taken integer DEFAULT 0 NOT NULL,
    stage integer DEFAULT 1 NOT NULL,
    was_done boolean DEFAULT false NOT NULL,
    stills_removed boolean DEFAULT false NOT NULL,
    sources json DEFAULT '[]'::json NOT NULL
);
CREATE TABLE public.kept_answers (
    digest character varying(64) NOT NULL,
    fingerprint character varying(64) NOT NULL,
    owner character varying(64) NOT NULL,
    created_ms bigint NOT NULL,
    status integer,
    location text,
    body text
);
CREATE TABLE public.passages (
    job_id character varying(16) NOT NULL,
    level integer NOT NULL,
    index integer NOT NULL,
    first integer NOT NULL,
    stop integer NOT NULL,
    start_ms bigint NOT NULL,
    end_ms bigint NOT NULL,
    is_chapter boolean NOT NULL,
    title text NOT NULL,
    text text NOT NULL,
    reason text,
    waiting_ms double precision NOT NULL,
    prefill_ms double precision NOT NULL,
    generate_ms double precision NOT NULL,
    total_ms double precision NOT NULL,
    tokens_in integer,
    tokens_out integer,
    told_ms bigint
);
CREATE TABLE public.presets (
    name character varying(64) NOT NULL,
    fields json NOT NULL,
    saved_ms bigint NOT NULL
);
CREATE TABLE public.search_words (
    id bigint NOT NULL,
    job_id character varying(16) NOT NULL,
    source character varying(8) NOT NULL,
    part integer NOT NULL,
    number integer NOT NULL,
    words tsvector NOT NULL
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
    created_ms bigint NOT NULL,
    correction text,
    revision integer DEFAULT 0 NOT NULL,
    corrected_by character varying(80),
    corrected_ms bigint,
    taken_from character varying(16)
);
CREATE TABLE public.utterances (
    job_id character varying(16) NOT NULL,
    piece integer NOT NULL,
    number integer NOT NULL,
    start_ms bigint NOT NULL,
    end_ms bigint NOT NULL,
    text text NOT NULL,
    language character varying(16) NOT NULL
);
CREATE VIEW public.search_texts AS
 SELECT w.id,
    w.job_id,
    w.source,
    w.part,
    w.number,
    "row".start_ms,
    "row".end_ms,
    COALESCE("row".correction, "row".text) AS text,
    ("row".correction IS NOT NULL) AS corrected
   FROM (public.search_words w
     JOIN public.segments "row" ON (((("row".job_id)::text = (w.job_id)::text) AND (0 = w.part) AND ("row".index = w.number))))
  WHERE ((w.source)::text = 'comment'::text)
UNION ALL
 SELECT w.id,
    w.job_id,
    w.source,
    w.part,
    w.number,
    "row".start_ms,
    "row".end_ms,
    "row".text,
    false AS corrected
   FROM (public.search_words w
     JOIN public.utterances "row" ON (((("row".job_id)::text = (w.job_id)::text) AND ("row".piece = w.part) AND ("row".number = w.number))))
  WHERE ((w.source)::text = 'speech'::text)
UNION ALL
 SELECT w.id,
    w.job_id,
    w.source,
    w.part,
    w.number,
    "row".start_ms,
    "row".end_ms,
        CASE
            WHEN (("row".title = ''::text) OR ("row".text = ''::text)) THEN ("row".title || "row".text)
            ELSE (("row".title || ': '::text) || "row".text)
        END AS text,
    false AS corrected
   FROM (public.search_words w
     JOIN public.passages "row" ON (((("row".job_id)::text = (w.job_id)::text) AND ("row".level = w.part) AND ("row".index = w.number))))
  WHERE ((w.source)::text = 'summary'::text);
ALTER TABLE public.search_words ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.search_words_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.tokens (
    digest character varying(64) NOT NULL,
    name character varying(64),
    created_ms bigint NOT NULL,
    used_ms bigint,
    until_ms bigint,
    scopes json
);
CREATE TABLE public.uploads (
    id character varying(16) NOT NULL,
    owner character varying(128),
    length_bytes bigint NOT NULL,
    metadata_text text NOT NULL,
    filename text NOT NULL,
    parameters json NOT NULL,
    priority integer NOT NULL,
    created_ms bigint NOT NULL,
    until_ms bigint NOT NULL,
    job_id character varying(16),
    failure_kind character varying(16),
    failure_text text,
    holder character varying(64)
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
    warnings json NOT NULL,
    removed_ms bigint
);
CREATE TABLE public.watched_files (
    key character varying(64) NOT NULL,
    path text NOT NULL,
    noted_ms bigint NOT NULL,
    sha256 character varying(64)
);
CREATE TABLE public.webhooks (
    id character varying(16) NOT NULL,
    url text NOT NULL,
    events json NOT NULL,
    secret character varying(64) NOT NULL,
    old_secret character varying(64),
    old_until_ms bigint,
    created_ms bigint NOT NULL,
    delivered_ms bigint,
    disabled_ms bigint,
    disabled_reason text
);
CREATE TABLE public.workers (
    name character varying(64) NOT NULL,
    host character varying(40) NOT NULL,
    pid integer NOT NULL,
    commentator character varying(32) NOT NULL,
    streams integer NOT NULL,
    started_ms bigint NOT NULL,
    seen_ms bigint NOT NULL,
    memory_bytes bigint NOT NULL,
    accelerator character varying(80),
    accelerator_used_bytes bigint,
    accelerator_total_bytes bigint
);
ALTER TABLE ONLY public.chunks ALTER COLUMN id SET DEFAULT nextval('public.chunks_id_seq'::regclass);
INSERT INTO public.alembic_version VALUES ('0017');
INSERT INTO public.chunks VALUES (1, 'jtnwnfxyvvt5qd7n', 0, 3, 3, NULL, NULL, 0, NULL, NULL, NULL, 1);
INSERT INTO public.chunks VALUES (2, 'nrymgltj3bia75ay', 0, 4, 1, NULL, NULL, 1, NULL, NULL, NULL, 1);
INSERT INTO public.chunks VALUES (3, 'nrymgltj3bia75ay', 4, 8, 5, NULL, NULL, 1, NULL, NULL, NULL, 1);
INSERT INTO public.chunks VALUES (4, 'nrymgltj3bia75ay', 8, 12, 8, NULL, NULL, 0, NULL, NULL, NULL, 1);
INSERT INTO public.chunks VALUES (5, 'nrymgltj3bia75ay', 12, 16, 12, NULL, NULL, 0, NULL, NULL, NULL, 1);
INSERT INTO public.chunks VALUES (6, 'nrymgltj3bia75ay', 16, 20, 16, NULL, NULL, 0, NULL, NULL, NULL, 1);
INSERT INTO public.chunks VALUES (7, 'iaegqho4f4jexqax', 0, 4, 4, NULL, NULL, 0, NULL, NULL, NULL, 1);
INSERT INTO public.chunks VALUES (8, 'iaegqho4f4jexqax', 4, 8, 6, 'vm-2e5a701e-4026531836-32429-2j7hov6ctpeaklb3', 1795890216781, 1, NULL, NULL, NULL, 1);
INSERT INTO public.chunks VALUES (9, 'iaegqho4f4jexqax', 8, 12, 8, 'vm-2e5a701e-4026531836-32429-obye3ae7tapgicpk', 1795890216072, 1, NULL, NULL, NULL, 1);
INSERT INTO public.chunks VALUES (10, 'iaegqho4f4jexqax', 12, 16, 12, NULL, NULL, 0, NULL, NULL, NULL, 1);
INSERT INTO public.chunks VALUES (11, 'iaegqho4f4jexqax', 16, 20, 16, NULL, NULL, 0, NULL, NULL, NULL, 1);
INSERT INTO public.jobs VALUES ('jtnwnfxyvvt5qd7n', 'avlnoguxlz2mutvf', 'done.mp4', 'builtin', '{"commentator": "builtin", "capture_fps": "2", "frames_per_inference": 4, "frame_stride": 2, "window_hop": 8, "change_threshold": 0.0, "max_new_tokens": 96, "summary": 0, "transcript": 0}', 3, 'done', 0, 1795890186897, 1795890187090, 1795890188691, NULL, 1601, NULL, NULL, NULL, 1, 1795890187090, '[]', NULL, 0, 1, true, false, '[]');
INSERT INTO public.jobs VALUES ('nrymgltj3bia75ay', 'avlnoguxlz2mutvf', 'cancelled.mp4', 'builtin', '{"commentator": "builtin", "capture_fps": "2", "frames_per_inference": 1, "frame_stride": 1, "window_hop": 1, "change_threshold": 0.0, "max_new_tokens": 96, "summary": 0, "transcript": 0}', 20, 'cancelled', 0, 1795890188752, 1795890188780, 1795890189537, NULL, 757, NULL, NULL, NULL, 1, 1795890188789, '[]', NULL, 0, 1, false, false, '[]');
INSERT INTO public.jobs VALUES ('iaegqho4f4jexqax', 'avlnoguxlz2mutvf', 'open.mp4', 'builtin', '{"commentator": "builtin", "capture_fps": "2", "frames_per_inference": 1, "frame_stride": 1, "window_hop": 1, "change_threshold": 0.0, "max_new_tokens": 96, "summary": 0, "transcript": 0}', 20, 'running', 0, 1795890189577, 1795890189846, NULL, 1795890189846, 0, NULL, NULL, NULL, 1, 1795890191072, '[]', NULL, 0, 1, false, false, '[]');
INSERT INTO public.search_words OVERRIDING SYSTEM VALUE VALUES (1, 'jtnwnfxyvvt5qd7n', 'comment', 0, 0, '''a'':28,36,39 ''at'':41 ''car'':16,40 ''chang'':10,24 ''changes'':34,48 ''larg'':5 ''large'':29 ''left'':19,43 ''most'':44 ''new'':13,37 ''no'':25 ''object'':2,26 ''of'':31,45 ''part'':6,30 ''pictur'':9,23 ''picture'':33,47 ''recognis'':3 ''recognised'':27 ''the'':32,42,46 ''then'':35 ''view'':14,38');
INSERT INTO public.search_words OVERRIDING SYSTEM VALUE VALUES (2, 'jtnwnfxyvvt5qd7n', 'comment', 0, 1, '''3'':24,56 ''a'':33,40,45,51,58 ''at'':54 ''car'':25 ''cars'':57 ''chang'':32 ''changes'':64 ''in'':47 ''larg'':27 ''large'':59 ''least'':23,55 ''middl'':17 ''middle'':49 ''new'':2,9,20,34,41,52 ''no'':36 ''object'':5,37 ''of'':44,61 ''part'':11,28,43,60 ''person'':14,46 ''pictur'':31 ''picture'':63 ''recognis'':6 ''recognised'':38 ''the'':48,62 ''then'':39,50 ''view'':3,10,21,35,42,53');
INSERT INTO public.search_words OVERRIDING SYSTEM VALUE VALUES (3, 'jtnwnfxyvvt5qd7n', 'comment', 0, 2, '''a'':14,20 ''chang'':13 ''changes'':26 ''larg'':8 ''large'':21 ''new'':2,15 ''no'':17 ''object'':5,18 ''of'':23 ''part'':9,22 ''pictur'':12 ''picture'':25 ''recognis'':6 ''recognised'':19 ''the'':24 ''view'':3,16');
INSERT INTO public.search_words OVERRIDING SYSTEM VALUE VALUES (4, 'nrymgltj3bia75ay', 'comment', 0, 0, '''no'':4 ''object'':2,5 ''recognis'':3 ''recognised'':6');
INSERT INTO public.search_words OVERRIDING SYSTEM VALUE VALUES (5, 'nrymgltj3bia75ay', 'comment', 0, 4, '''a'':6 ''at'':8 ''car'':2,7 ''left'':5,10 ''the'':9');
INSERT INTO public.search_words OVERRIDING SYSTEM VALUE VALUES (6, 'iaegqho4f4jexqax', 'comment', 0, 0, '''no'':4 ''object'':2,5 ''recognis'':3 ''recognised'':6');
INSERT INTO public.search_words OVERRIDING SYSTEM VALUE VALUES (7, 'iaegqho4f4jexqax', 'comment', 0, 1, '''and'':19 ''at'':20 ''chang'':4 ''changed'':15 ''has'':14 ''in'':16 ''middl'':7 ''middle'':18 ''pictur'':2 ''picture'':13 ''right'':11,22 ''the'':12,17,21');
INSERT INTO public.search_words OVERRIDING SYSTEM VALUE VALUES (8, 'iaegqho4f4jexqax', 'comment', 0, 2, '''and'':19 ''at'':20 ''chang'':4 ''changed'':15 ''has'':14 ''in'':16 ''middl'':7 ''middle'':18 ''pictur'':2 ''picture'':13 ''right'':11,22 ''the'':12,17,21');
INSERT INTO public.search_words OVERRIDING SYSTEM VALUE VALUES (9, 'iaegqho4f4jexqax', 'comment', 0, 4, '''a'':6 ''at'':8 ''car'':2,7 ''left'':5,10 ''the'':9');
INSERT INTO public.search_words OVERRIDING SYSTEM VALUE VALUES (10, 'iaegqho4f4jexqax', 'comment', 0, 3, '''a'':9,12 ''at'':14 ''car'':5,13 ''left'':8,16 ''new'':2,10 ''the'':15 ''view'':3,11');
INSERT INTO public.search_words OVERRIDING SYSTEM VALUE VALUES (11, 'iaegqho4f4jexqax', 'comment', 0, 5, '''across'':6,14 ''all'':13 ''chang'':4 ''changed'':12 ''has'':11 ''pictur'':2,8 ''picture'':10,16 ''the'':9,15');
INSERT INTO public.segments VALUES ('jtnwnfxyvvt5qd7n', 0, 0, 4000, 'said', 'No object recognised; a large part of the picture changes; then a new view: a car at the left; most of the picture changes.', NULL, '{"label": "object tags, not a vision-language model", "views": [{"light": "normal", "objects": [], "moving": [["left", "middle", "right"]]}, {"light": "normal", "objects": [{"name": "car", "counts": [1, 1], "score": 0.608}], "moving": [["left", "middle", "right"]]}], "text": []}', '{"light": "normal", "objects": [{"name": "car", "box": [0.0016, 0.5135, 0.3831, 0.9853]}], "counts": {"car": 1}, "moving": ["left", "middle", "right"], "moving_share": 0.6936, "lines": [], "picture": "OjcxUUxGNjcySUdDPj46TkxIODo2LDEvPkA8R0Q8XFZMhH1xsKuitbCos7GoraujRkE4raacg31zlY2Ck42CeG9iamhigYF9fn13QT43MzMtMzQxKzMxKzMyOEA/ZGhlamJXrqebqaacjIiAwsG+Tk9KSExMT1JTjIqAV1ZQY2ReRklFSEpEKiwpKCspSUxIP0NBU1ZUxcS9TFFPbG9siImDYGJjW1pYWllTRURBNDMwLS0rLS4rKispKywqLC0rMTU0Nzw6jYl8gH52YmVjXl5aW1tYWlVQVlFOWlVSWVJPW1RSXVxZMzUyLSwmKi0nZ2lmd3t4ycjFkIyFOzw3KionLC4rUkxHUUA+UD06UD88TkA9TkZCJCcmJSciNTcvZGFZY2VhWFVPLi4pLS8pKConIyUjLzAtNjUzNjUzMjEvMjIvLi4rKi0pTkxDU1RLa2VWRkM9UEpAdWxbbGVWWFhSPkA8WllVcW9shIF+k4+Mn5uYr6qlyMW/9PX3+Pr9Gx0ZHR4ZJCUgMzIrXVxVtbe0v8G+wsXEwsTDwcTCv8K+vsC8vL66ury4ubu4ubq3"}', '[0, 12800, 25600, 38400]', 293.3638949998567, 58.953828000085196, 593.3516509999208, 0, 0.20339299999250215, 904.2350679997071, NULL, NULL, 1795890188011, NULL, 0, NULL, NULL, NULL);
INSERT INTO public.segments VALUES ('jtnwnfxyvvt5qd7n', 1, 4000, 8000, 'said', 'A new view: no object recognised; then a new view: part of a person in the middle; then a new view: at least 3 cars; a large part of the picture changes.', NULL, '{"label": "object tags, not a vision-language model", "views": [{"light": "normal", "objects": [], "moving": []}, {"light": "normal", "objects": [{"name": "person", "counts": [1], "score": 0.811}], "moving": []}, {"light": "normal", "objects": [{"name": "car", "counts": [3, 3], "score": 0.619}], "moving": [["left", "middle", "right"]]}], "text": []}', '{"light": "normal", "objects": [{"name": "car", "box": [0.8177, 0.3657, 0.9407, 0.5899]}, {"name": "car", "box": [0.5841, 0.431, 0.6941, 0.5968]}], "counts": {"car": 3}, "moving": ["left", "middle", "right"], "moving_share": 0.2144, "lines": [{"text": "", "box": [0.4625, 0.4118, 0.5703, 0.4779], "print": "qJiNrsXJvK3DxsKoioWeqJihoYd0f4J3YlplZ2dqbW5sc1hKQjw+O2mYkrTFxsGlx8nMonWAoq6TsLisiKCyrHuInKihsbyym7m2wptDR0I5TIm9tKeejauZo4eMop6LeZiPiYKjpYltgoGZlqmtl3t7epSAREA+LjE0VI6lnYV9eHl9ho6WkYqYj4ODioiEhoyIiIqMioWDgYGBfH59fA=="}], "picture": "YVpYWFFOZF1baF9dfHFriYSCiISCh4SEsK6uw8HAvL2+u7y+p6anend1a2BaZWBaTk1QSERBWFNQTkxLcmtol5KQYF1bhYB+h3BokXpvta+qpZqVd29rZllWb2pkREE+R0NDTUZEWU9LZWBdVlFOcGplZF5bhH57fnVwgHRtgXhxgXdxcmpiZltYY11YTUlFX2BhVUxKWE9NSEtMRkZGQkNCLC4tZmViZ2djZV9cfHl3XltWXllTY2NibGpnXFhSP0A8g2tii4R5ioV9WFVUU1JPJCgnW1VLlZGJb2ZhYFlZNjk2a2pmUVNPRkdDOz46gH13W1tVpqKcrqqla2pmUVFOJysoeXBmhIF7k4+KeHZwSUxHpKCYZmVfb21oVVVNp6OcmJWNY2NcnpyVgoF7hYJ9MDUwh4J7tbCqbmxlsq2lVllSsaujjImDkpGKb3FrqKScrKigpqKaQUM7nZmShoJ9MzUtjIR8mJSNs62ljIiBV1lSmpiSsKyloJ2VWFxUqaaframihoR8jIiAYV5Wj4uFNTkxenVtsKykr6qjkIyGSktEkI6GjYt/iYd5VFNE"}', '[51200, 64000, 76800, 89600]', 2.515518000109296, 131.71827199994368, 467.6655749999554, 0, 0.17766500013749464, 472.710521999943, NULL, NULL, 1795890188490, NULL, 0, NULL, NULL, NULL);
INSERT INTO public.segments VALUES ('jtnwnfxyvvt5qd7n', 2, 8000, 10000, 'said', 'A new view: no object recognised; a large part of the picture changes.', NULL, '{"label": "object tags, not a vision-language model", "views": [{"light": "normal", "objects": [], "moving": [["left", "middle", "right"]]}], "text": []}', '{"light": "normal", "objects": [], "counts": {}, "moving": ["left", "middle", "right"], "moving_share": 0.322, "lines": [], "picture": "vLSocG5oTU5QYWNioKCb3t3U09LIeHRtWlxYVllWRUdFPD88PD88MTQxOz44YmNZpJ6Tc3BqS01OWl1clJKNzszByMa8f3xzYmJdSUpGX19aZWRdYWFbZmhhW11XT1JLo6CWenZvS0xNWVtajIuGxsO6s7GpqqqlamtpQUJAVldTV1lVRkhDREZCRUhDVlpTi4qAi4mDUVNSWFpapKSegYqFj5CKjIuFTk1KT1BOX2FeVVhVWFpYYmRgaGplfoJ6dXZuk5GIaWhiZGNehYV/SU1GhYiBY2NeU1NOJigoKiwsISMiMTMyHB0cR0pFd3pxioh+kI2Ci4h/gX51gX10TU9Je3xzSEhERkhGV1hVIyQkJCUkIiUjKSonS0xHdnlwoJ6Vp6OYq6idraicqaSZWVxViYh+lpSLd3VuXl1YSEhESklFPj87Pz05WlpTd3hum5mNoZ6To6GWp6KWqaSZVVtUjIuBq6idr62jr66iq6eaqaWZpqOZoJ2TmZiOkZGFj46CkpGEn6CVpKKVqKWZVFpVkJCHqqOVq6idsa+ksq2hsqyftbCjtK6gsKmYqqeX"}', '[102400, 115200]', 1.207760000397684, 48.82724999970378, 182.7151050001703, 0, 0.1665790000515699, 185.07755500013445, NULL, NULL, 1795890188678, NULL, 0, NULL, NULL, NULL);
INSERT INTO public.segments VALUES ('nrymgltj3bia75ay', 0, 0, 500, 'said', 'No object recognised.', NULL, '{"label": "object tags, not a vision-language model", "views": [{"light": "normal", "objects": [], "moving": []}], "text": []}', '{"light": "normal", "objects": [], "counts": {}, "moving": [], "moving_share": 0.0, "lines": [{"text": "", "box": [0.0688, 0.6544, 0.1234, 0.8199], "print": "YWFhYmJiYmJiYWFhYVxfYWJjZGRkZGRiY2RlZGRjYWFhYWFhYWFgX2FhYWFhYmJiYFxcZGRudXd4d3RycmlhbHR2cnFxc3Z5cmxmY2NhYWFeXl5eXmBbV15nb3JycnFvbF1fbGxpam9ydnh3d3RtaGRiYWBgYGBgXl9cVVVUWV5hYmJiYmJhX15hYmFhYWJlaGdiY2NjX19eXl5eXl9fXw=="}], "picture": "cGRdcmdfcGVebmNcaF1YfHNxxcLDqaGji3t51dHW5+Xpg3VscmdgaF1Wa2FabGNcb2RdcGVecGVebWJcZVxWhH17xcPEoZiYgG9s1dHW6ejtiXtyfG9mcGVecGZfb2ZebmNcb2RdbmRca2BaZFpVjYaFxcPEmpGTa11c08/S4t/kkYR8fnJodGhhcGZfbmVfbmNcbWJbbGFbaV9ZY1lTlY+OxMLDxsPFx8LE19TY1NDRmY2GgXNpdWpib2VdbmVeamBZa2BZa2FaaF5YYVdRnZeXw8HCycbI0M3R29nd8vL1oJWOgXNodWlibWRcbGNdbGFaa2BZaV5XZVtUX1RPo5+gwsDByMbI0M3R19TY5uXpppyXgHFmdGlhbGJbamFbaF1Xd2JRZ11WZFpTW1JMrKipwL6/xsTFzsvO09DU2tfcqqGdf3BmdGhha2BaZ15YZlxVaFtUZVpVYFZQWlFLsa2vvrq8xMLDw8DAzcrMzsjJrqWifnBmc2hfaV9YZVxWYlhTY1pUYVdRXFNNXFNQs6+xu7i5wLy+u7SzrqqokYV9sKilkIF2dGhfbGFaYllT"}', '[0]', 10.770197000056214, 2.1542399999816553, 381.9686010001533, 0, 0.09575300009601051, 395.8473600000616, NULL, NULL, 1795890189182, NULL, 0, NULL, NULL, NULL);
INSERT INTO public.segments VALUES ('nrymgltj3bia75ay', 4, 2000, 2500, 'said', 'A car at the left.', NULL, '{"label": "object tags, not a vision-language model", "views": [{"light": "normal", "objects": [{"name": "car", "counts": [1], "score": 0.608}], "moving": []}], "text": []}', '{"light": "normal", "objects": [{"name": "car", "box": [0.0016, 0.5135, 0.3831, 0.9853]}], "counts": {"car": 1}, "moving": [], "moving_share": 0.0, "lines": [], "picture": "Gx8gHSEeS0c/RUI8QEA7QkE9Pz47SklELjAuLTExamlgPTs1WlRKk46FpKCYpaCZGyAgLC4qYVlMlZGJd3JqbWZbdnFpn5uRUk5HYGBdWFVNODYxKCklTlFPUVRTSk1ORUM+RkI6fXJisaiZy8nBioV4tLSvkJCJQENEW19cWllUOzo1JigkLjIzMjg5Mjg5cnBoiYqHSk5MTVBQyMnEbXNtQ0hIqKmhYWNicnV0eXp2MC8qIyUiKS0uKi4wOT8/REZEqqifRUdEOz8/b25lk5GIbHBwtbSvZGJZNDY2Pjs2MC8qICMfJissJywuJSosop+ZnJqUfn98eXx6sLCswLuwcHFsiYJza2JTODYyTEY/MjMvHyIgOz8/ODs7MjU2VlhYXmBfaWxqbG5rd3ZwfnBeVVNMdW9jcmtdNzgypaCWMjIsHyEdamxob3FudXh0Mzg5Q0lIQ0hJUVVXZGRidWhXMC4pWlNGZl1PgHVmf3xwWFVJJCYhOjw5cHNvSU1LLjI0OkA/OkBAQUZITlJSYl9aNTMuYFdLfXBeV1BFRkE3XlVHT09HQkE8amtlKi0s"}', '[25600]', 408.59590499985643, 26.303901000119367, 252.28233699999691, 0, 0.15260700001817895, 661.8877450000582, NULL, NULL, 1795890189461, NULL, 0, NULL, NULL, NULL);
INSERT INTO public.segments VALUES ('iaegqho4f4jexqax', 0, 0, 500, 'said', 'No object recognised.', NULL, '{"label": "object tags, not a vision-language model", "views": [{"light": "normal", "objects": [], "moving": []}], "text": []}', '{"light": "normal", "objects": [], "counts": {}, "moving": [], "moving_share": 0.0, "lines": [{"text": "", "box": [0.0688, 0.6544, 0.1234, 0.8199], "print": "YWFhYmJiYmJiYWFhYVxfYWJjZGRkZGRiY2RlZGRjYWFhYWFhYWFgX2FhYWFhYmJiYFxcZGRudXd4d3RycmlhbHR2cnFxc3Z5cmxmY2NhYWFeXl5eXmBbV15nb3JycnFvbF1fbGxpam9ydnh3d3RtaGRiYWBgYGBgXl9cVVVUWV5hYmJiYmJhX15hYmFhYWJlaGdiY2NjX19eXl5eXl9fXw=="}], "picture": "cGRdcmdfcGVebmNcaF1YfHNxxcLDqaGji3t51dHW5+Xpg3VscmdgaF1Wa2FabGNcb2RdcGVecGVebWJcZVxWhH17xcPEoZiYgG9s1dHW6ejtiXtyfG9mcGVecGZfb2ZebmNcb2RdbmRca2BaZFpVjYaFxcPEmpGTa11c08/S4t/kkYR8fnJodGhhcGZfbmVfbmNcbWJbbGFbaV9ZY1lTlY+OxMLDxsPFx8LE19TY1NDRmY2GgXNpdWpib2VdbmVeamBZa2BZa2FaaF5YYVdRnZeXw8HCycbI0M3R29nd8vL1oJWOgXNodWlibWRcbGNdbGFaa2BZaV5XZVtUX1RPo5+gwsDByMbI0M3R19TY5uXpppyXgHFmdGlhbGJbamFbaF1Xd2JRZ11WZFpTW1JMrKipwL6/xsTFzsvO09DU2tfcqqGdf3BmdGhha2BaZ15YZlxVaFtUZVpVYFZQWlFLsa2vvrq8xMLDw8DAzcrMzsjJrqWifnBmc2hfaV9YZVxWYlhTY1pUYVdRXFNNXFNQs6+xu7i5wLy+u7SzrqqokYV9sKilkIF2dGhfbGFaYllT"}', '[0]', 241.82162999977663, 5.085126999802014, 222.78220799989867, 0, 0.09893700007523876, 467.9123669998262, NULL, NULL, 1795890190325, NULL, 0, NULL, NULL, NULL);
INSERT INTO public.segments VALUES ('iaegqho4f4jexqax', 1, 500, 1000, 'said', 'The picture has changed in the middle and at the right.', NULL, '{"label": "object tags, not a vision-language model", "views": [{"light": "normal", "objects": [], "moving": []}], "text": []}', '{"light": "normal", "objects": [], "counts": {}, "moving": [], "moving_share": 0.0, "lines": [{"text": "", "box": [0.3656, 0.0, 0.6656, 0.9963], "print": "uru9v8HCw8TGx8fGxsW6paKhoKChoqKkp6/E09PT1NXW19jY2dnc4Lu9v8HDxMXGx8fIycnKysrLzM3P0dLS0dLT1NbX19fX2dvd3+Dh4eO7vb/AwcLCw8XFxsfIx8fHyMnKzM3Ozs/Q0dDT1dPU19nb3N3e3t/gubq7u7y8vL29vsDBuqKipKWlpKSnqKioqaqtvMfMzc7Q0dPU1NXW2A=="}], "picture": "eWtie2xkd2tjcmZga2BafXVyw7/Bpp+hdmlq08/T39zheW1mXVRPLCYmKiUmVUtHcmdfc2hhc2hhb2RdZ11XhX57xMHDzMnN0c7T19TY4t/lfnNtaF5YUkpGUktHZ15XcGVecGVecGVebGJbZFtVjIWExcHDzcrO09HW2NXa4+LnjYF5d2pjamBYaV9YbGNcb2RdbWJbbWJcamBZY1lSk42MxcLDy8jM0s/U2dfc5uXqmY2Gf3Joc2dfbWJbbWRda2FabGFaa2FaaF5XYVdRm5aVxMLEy8jM0c7R2Nbb4+LnoZaQgXJodGlhbWNbbGNcbGFba2BaaV9XZVtUXlROoJydxMHDycbK0c7S19Xa4uHmqJ6agHFndGlhbGJbamFbaF5Xd2JRZ11WZFlTW1FMqKOlwb7AxsTFzsvO1tPX393irqShfnBmc2hgamBZZ15YZVxVaFtUZFtVYFdRWU9Krqqsvru9xcLDycbI0s7S29jdsqmnfW9lc2dfaF5XZFtVYlhTY1pUYVdSXVROWVBNsa6vvbm7l46PhHd2wry+1NHVta2skIF2c2dfa2BZYVhS"}', '[6656]', 0.636698999642249, 23.052095999901212, 222.5750849997894, 0, 0.10549699982220773, 224.08698699973684, NULL, NULL, 1795890190556, NULL, 0, NULL, NULL, NULL);
INSERT INTO public.segments VALUES ('iaegqho4f4jexqax', 2, 1000, 1500, 'said', 'The picture has changed in the middle and at the right.', NULL, '{"label": "object tags, not a vision-language model", "views": [{"light": "normal", "objects": [], "moving": []}], "text": []}', '{"light": "normal", "objects": [], "counts": {}, "moving": [], "moving_share": 0.0, "lines": [{"text": "", "box": [0.3891, 0.0, 0.6438, 0.9816], "print": "vb6/wMHBwsLCxMXHx8XDw8TFxMXFxcXGyMvO0NLT1dbX2Nrb3d7f4b6/wMHCw8TFxsfIycbAwMHCw8PFx8nJycnKys3S1NXW19jZ2tzd3d6/wMHCwsPDwb+9uKtuTFhaWlxeXl5gYmRlZWZvldDS0tHR0dLU1dbWu7y9vr+/vr28urane3F0dHNyc3R0dHR1d3l7g5DGy8zMzMzNztDQ0A=="}], "picture": "fW5jgnFnhHRph3ZriXhtmY2HwL2/wr2/wLq62NXa4+HmdWpkVE1JVi4vh0BCfDAxfW9kgXFnhXVqhnZrgXJplo2JwL6/y8fK0s/T19Xa6OfseG1nW1NOOSkqRiosSy8wfW5kf3BmgXJofW9mcWVfk4yKwL6/ysfJ09DU2Nbb5uXqg3lzZFpVOzc1LCopTEVBfG5ke2xjd2tjcmdfaF5Yl5GQwsDBy8jK0s/T2NXb5uXqkYaBbmNdWlFMVExIY1pUdWhfdGdfcGVebmNcY1lTnJeXw8DCpZyejX18z8nN393in5WPfG5lbWFaZltVZ19Yc2ZfcGRdbWJbaF1XX1VPoZydwr/BioCBbl1bycPH3NneqJ2Zf3BlcmZfaV5YaF9Za2FaemRTaV9YZVtUW1JMp6OlwL2/hXt8ZldUw73A2dbaraOgfW9kcmdfaV9YZl1XZ11Xal1VZVxWYFdRWU9Krqqsv7y9g3l6WElJv7m709DTsKekfG5kcmdeaF5XZVxVYllTZFpVYlhSXVROWFBLsq2vvbm7urW3urS1y8fI0M3Ps6upjn90cmZeal9YYVhS"}', '[12800]', 3.918288000022585, 12.688215000252967, 236.31056900012481, 0, 0.1053870000760071, 241.14701600001354, NULL, NULL, 1795890190800, NULL, 0, NULL, NULL, NULL);
INSERT INTO public.segments VALUES ('iaegqho4f4jexqax', 4, 2000, 2500, 'said', 'A car at the left.', NULL, '{"label": "object tags, not a vision-language model", "views": [{"light": "normal", "objects": [{"name": "car", "counts": [1], "score": 0.608}], "moving": []}], "text": []}', '{"light": "normal", "objects": [{"name": "car", "box": [0.0016, 0.5135, 0.3831, 0.9853]}], "counts": {"car": 1}, "moving": [], "moving_share": 0.0, "lines": [], "picture": "Gx8gHSEeS0c/RUI8QEA7QkE9Pz47SklELjAuLTExamlgPTs1WlRKk46FpKCYpaCZGyAgLC4qYVlMlZGJd3JqbWZbdnFpn5uRUk5HYGBdWFVNODYxKCklTlFPUVRTSk1ORUM+RkI6fXJisaiZy8nBioV4tLSvkJCJQENEW19cWllUOzo1JigkLjIzMjg5Mjg5cnBoiYqHSk5MTVBQyMnEbXNtQ0hIqKmhYWNicnV0eXp2MC8qIyUiKS0uKi4wOT8/REZEqqifRUdEOz8/b25lk5GIbHBwtbSvZGJZNDY2Pjs2MC8qICMfJissJywuJSosop+ZnJqUfn98eXx6sLCswLuwcHFsiYJza2JTODYyTEY/MjMvHyIgOz8/ODs7MjU2VlhYXmBfaWxqbG5rd3ZwfnBeVVNMdW9jcmtdNzgypaCWMjIsHyEdamxob3FudXh0Mzg5Q0lIQ0hJUVVXZGRidWhXMC4pWlNGZl1PgHVmf3xwWFVJJCYhOjw5cHNvSU1LLjI0OkA/OkBAQUZITlJSYl9aNTMuYFdLfXBeV1BFRkE3XlVHT09HQkE8amtlKi0s"}', '[25600]', 284.9422379999851, 23.520644000200264, 765.884245000052, 0, 0.12449499990907498, 1051.806471999953, NULL, NULL, 1795890190916, NULL, 0, NULL, NULL, NULL);
INSERT INTO public.segments VALUES ('iaegqho4f4jexqax', 3, 1500, 2000, 'said', 'A new view: a car at the left.', NULL, '{"label": "object tags, not a vision-language model", "views": [{"light": "normal", "objects": [{"name": "car", "counts": [1], "score": 0.614}], "moving": []}], "text": []}', '{"light": "normal", "objects": [{"name": "car", "box": [0.0, 0.3289, 0.3525, 0.9857]}], "counts": {"car": 1}, "moving": [], "moving_share": 0.0, "lines": [], "picture": "IyckODYxSUZAOTk1RkVBQ0I+R0ZCNTc1MTU1VlhUMS4pPzUwcW5niYeBko+Kj42IJSkmRkI6dW9mREM8WVVNVlJLdXFqTkxGREM/REVCNi8pMSwmV1dUZ2hmXF9eVVlWLy8sXFNIvLOkq6SZnpaIrKigtbWzXl1XPj8+Ky0qJyQhJycjLDAwNDo7Mzk6Mjg5cW1mUVFMXmBdg4WCq6yoQEVHfYJ9ent1IyUkGBoXIyMiGxwaKS0tLTM0O0JBQEdGgIJ+kZGKPUJAPUFAmpaLYWJiZ2loioiAGx4bGBoYISEfGRoXISQkKS0vKS4wKS4vODs6cW5hXWBecHNxwL63nJmRampmdG5hGhwZGBoZJiQiGhsZISQjMjY2MTU1MDQ1Oz8+V1RNZ2Zha2xpamZbamBRRkhEVlJKGhwZGhsYISAeGBoXKiwpbnBtbW9sdHd0amtolo18eGxbMS8qNjMtXlNFJCUgQT01HB4cHBwZISAdHB4bGRsYd3l1UVRSW15cMjIwW1NHY1xOHyEdLCsmPDkxLi0oJSUgLikkHh4bHR0bHiAcGBoYVlhSNjk3ISYk"}', '[19456]', 2.5599850000617153, 42.37847199965472, 209.4800079999004, 0, 0.11896800015165354, 213.0252710003333, NULL, NULL, 1795890191018, NULL, 0, NULL, NULL, NULL);
INSERT INTO public.segments VALUES ('iaegqho4f4jexqax', 5, 2500, 3000, 'said', 'The picture has changed all across the picture.', NULL, '{"label": "object tags, not a vision-language model", "views": [{"light": "normal", "objects": [{"name": "car", "counts": [1], "score": 0.44}], "moving": []}], "text": []}', '{"light": "normal", "objects": [{"name": "car", "box": [0.0016, 0.5135, 0.3831, 0.9853]}], "counts": {"car": 1}, "moving": [], "moving_share": 0.0, "lines": [], "picture": "GRweHiIhR0M8TUpDOzs3RUM/Pj06TUtHLjEvKy8vVFRMQ0A6V1FHmZOIq6efqaegGh8eKSsoVk9EtK6klY+HhHtumpWMlI2CYl9adXVwaGJXPDkzJygkPUA/RklKQkVGQDw4SUQ9dm5hsaqesq+neHZuubu3X2BcQkVHRUlKa2piOjkzKComKzAwMjg5NTs8XlVTVE9NUUpLX1xbra2pREhHVVlYl5iQcHJxe318m5ePOzozJSckKCwsKS0vNDo6PjQyPzUzQzg3QTo5NDUzj42Gf4F/zMnCSklFOjk2b2NSOTgyIyUiJiosKCwuJystKykmNzQwSUQ/S0hBZWFanZiOlI+GmZGFfndwaWZhZF9VLy8qICMgR0lJREdHOTs8V1ROhIJ7paWgrrCstbe2ubq5vL69w8XEyszL0dPSz9DOn56aS0xHY2VgZWdjMzU0ZGdlZGZlY2VkY2VlZGZkZWdnZmhmaWppbG1sbnBvc3Rzent4ent3c3RvMjQtHiEdLDAwLjEzMDQ1MjY4Mzc4MzY5Njk7PUFDQkVHR0pMSk1PTVJTWF1eWVxbaWleGx4Z"}', '[32256]', 5.518202000075689, 18.10969300004217, 847.2871200001464, 0, 0.19243699989601737, 853.853022000294, NULL, NULL, 1795890191779, NULL, 0, NULL, NULL, NULL);
INSERT INTO public.tokens VALUES ('ba65941eb6c817797b1ae13f8b66df24b74f096e3eac6597b5a60f7d654c786c', 'nightly', 1795890185502, NULL, NULL, 'null');
INSERT INTO public.uploads VALUES ('avlnoguxlz2mutvf', NULL, 509868, '', 'done.mp4', '{"commentator": "builtin", "capture_fps": "2", "frames_per_inference": 4, "frame_stride": 2, "window_hop": 8, "change_threshold": 0.0, "max_new_tokens": 96, "summary": 0, "transcript": 0}', 0, 1795890186841, 1795890246843, 'jtnwnfxyvvt5qd7n', NULL, NULL, NULL);
INSERT INTO public.uploads VALUES ('nnkhw5obobaed2jx', NULL, 509868, '', 'cancelled.mp4', '{"commentator": "builtin", "capture_fps": "2", "frames_per_inference": 1, "frame_stride": 1, "window_hop": 1, "change_threshold": 0.0, "max_new_tokens": 96, "summary": 0, "transcript": 0}', 0, 1795890188747, 1795890248753, 'nrymgltj3bia75ay', NULL, NULL, NULL);
INSERT INTO public.uploads VALUES ('v2umhsw7k5bp4mhl', NULL, 509868, '', 'open.mp4', '{"commentator": "builtin", "capture_fps": "2", "frames_per_inference": 1, "frame_stride": 1, "window_hop": 1, "change_threshold": 0.0, "max_new_tokens": 96, "summary": 0, "transcript": 0}', 0, 1795890189565, 1795890249579, 'iaegqho4f4jexqax', NULL, NULL, NULL);
INSERT INTO public.videos VALUES ('avlnoguxlz2mutvf', '91028f9d6c72cc8137d8bd05678bdfcf5ab7c8fd9d7b77de70ce7a3ade257bb5', 509868, 1795890186895, 'mov,mp4,m4a,3gp,3g2,mj2', 'h264', 0, 640, 272, '1/12800', 0, 127488, 128000, 250, false, 'video/mp4', '[]', NULL);
INSERT INTO public.workers VALUES ('vm-2e5a701e-4026531836-32429', 'vm', 32429, 'builtin', 2, 1795890185850, 1795890185863, 270589952, NULL, NULL, NULL);
SELECT pg_catalog.setval('public.chunks_id_seq', 11, true);
SELECT pg_catalog.setval('public.search_words_id_seq', 11, true);
ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.additions
    ADD CONSTRAINT pk_additions PRIMARY KEY (job_id, kind);
ALTER TABLE ONLY public.chunks
    ADD CONSTRAINT pk_chunks PRIMARY KEY (id);
ALTER TABLE ONLY public.deliveries
    ADD CONSTRAINT pk_deliveries PRIMARY KEY (id);
ALTER TABLE ONLY public.fetches
    ADD CONSTRAINT pk_fetches PRIMARY KEY (id);
ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT pk_jobs PRIMARY KEY (id);
ALTER TABLE ONLY public.kept_answers
    ADD CONSTRAINT pk_kept_answers PRIMARY KEY (digest);
ALTER TABLE ONLY public.passages
    ADD CONSTRAINT pk_passages PRIMARY KEY (job_id, level, index);
ALTER TABLE ONLY public.presets
    ADD CONSTRAINT pk_presets PRIMARY KEY (name);
ALTER TABLE ONLY public.segments
    ADD CONSTRAINT pk_segments PRIMARY KEY (job_id, index);
ALTER TABLE ONLY public.tokens
    ADD CONSTRAINT pk_tokens PRIMARY KEY (digest);
ALTER TABLE ONLY public.uploads
    ADD CONSTRAINT pk_uploads PRIMARY KEY (id);
ALTER TABLE ONLY public.utterances
    ADD CONSTRAINT pk_utterances PRIMARY KEY (job_id, piece, number);
ALTER TABLE ONLY public.videos
    ADD CONSTRAINT pk_videos PRIMARY KEY (id);
ALTER TABLE ONLY public.watched_files
    ADD CONSTRAINT pk_watched_files PRIMARY KEY (key);
ALTER TABLE ONLY public.webhooks
    ADD CONSTRAINT pk_webhooks PRIMARY KEY (id);
ALTER TABLE ONLY public.workers
    ADD CONSTRAINT pk_workers PRIMARY KEY (name);
ALTER TABLE ONLY public.search_words
    ADD CONSTRAINT search_words_job_id_source_part_number_key UNIQUE (job_id, source, part, number);
ALTER TABLE ONLY public.search_words
    ADD CONSTRAINT search_words_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.chunks
    ADD CONSTRAINT uq_chunks_job_id_stage_first UNIQUE (job_id, stage, first);
ALTER TABLE ONLY public.tokens
    ADD CONSTRAINT uq_tokens_name UNIQUE (name);
ALTER TABLE ONLY public.videos
    ADD CONSTRAINT uq_videos_sha256 UNIQUE (sha256);
ALTER TABLE ONLY public.watched_files
    ADD CONSTRAINT uq_watched_files_sha256 UNIQUE (sha256);
CREATE INDEX ix_chunks_lease_until_ms ON public.chunks USING btree (lease_until_ms);
CREATE INDEX ix_deliveries_due_ms ON public.deliveries USING btree (due_ms);
CREATE INDEX ix_deliveries_webhook_id_created_ms ON public.deliveries USING btree (webhook_id, created_ms);
CREATE INDEX ix_jobs_created_ms ON public.jobs USING btree (created_ms);
CREATE INDEX ix_jobs_state_priority ON public.jobs USING btree (state, priority);
CREATE INDEX ix_jobs_video_id ON public.jobs USING btree (video_id);
CREATE INDEX ix_kept_answers_created_ms ON public.kept_answers USING btree (created_ms);
CREATE INDEX ix_search_words_words ON public.search_words USING gin (words);
CREATE INDEX ix_segments_created_ms ON public.segments USING btree (created_ms);
CREATE INDEX ix_segments_job_id_created_ms ON public.segments USING btree (job_id, created_ms);
CREATE INDEX ix_uploads_until_ms ON public.uploads USING btree (until_ms);
CREATE TRIGGER search_comment_kept AFTER INSERT OR DELETE OR UPDATE OF text, correction ON public.segments FOR EACH ROW EXECUTE FUNCTION public.search_comment_keep();
CREATE TRIGGER search_speech_kept AFTER INSERT OR DELETE OR UPDATE OF text ON public.utterances FOR EACH ROW EXECUTE FUNCTION public.search_speech_keep();
CREATE TRIGGER search_summary_kept AFTER INSERT OR DELETE OR UPDATE OF title, text ON public.passages FOR EACH ROW EXECUTE FUNCTION public.search_summary_keep();
ALTER TABLE ONLY public.additions
    ADD CONSTRAINT fk_additions_job_id_jobs FOREIGN KEY (job_id) REFERENCES public.jobs(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.chunks
    ADD CONSTRAINT fk_chunks_job_id_jobs FOREIGN KEY (job_id) REFERENCES public.jobs(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.deliveries
    ADD CONSTRAINT fk_deliveries_webhook_id_webhooks FOREIGN KEY (webhook_id) REFERENCES public.webhooks(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.fetches
    ADD CONSTRAINT fk_fetches_id_uploads FOREIGN KEY (id) REFERENCES public.uploads(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT fk_jobs_video_id_videos FOREIGN KEY (video_id) REFERENCES public.videos(id);
ALTER TABLE ONLY public.passages
    ADD CONSTRAINT fk_passages_job_id_jobs FOREIGN KEY (job_id) REFERENCES public.jobs(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.segments
    ADD CONSTRAINT fk_segments_job_id_jobs FOREIGN KEY (job_id) REFERENCES public.jobs(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.utterances
    ADD CONSTRAINT fk_utterances_job_id_jobs FOREIGN KEY (job_id) REFERENCES public.jobs(id) ON DELETE CASCADE;

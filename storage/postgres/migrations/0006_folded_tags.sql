-- Tags are now compared with their case folded, as Unicode does, instead of in lower case: "straße" becomes "strasse".
-- The letters below are those for which the two differ; each is followed by its folded form. Only photos with such a
-- tag change. A tag that is there in both forms is kept once.
CREATE TEMPORARY TABLE folded_letters ON COMMIT DROP AS
SELECT left(pair, 1) AS letter, substr(pair, 2) AS folded
FROM string_to_table(
    'ßss ςσ ᏸᏰ ᏹᏱ ᏺᏲ ᏻᏳ ᏼᏴ ᏽᏵ ᲀв ᲁд ᲂо ᲃс ᲄт ᲅт ᲆъ ᲇѣ ᲈꙋ ᾀἀι ᾁἁι ᾂἂι ᾃἃι ᾄἄι ᾅἅι ᾆἆι ᾇἇι ᾐἠι ᾑἡι ᾒἢι ᾓἣι '
    'ᾔἤι ᾕἥι ᾖἦι ᾗἧι ᾠὠι ᾡὡι ᾢὢι ᾣὣι ᾤὤι ᾥὥι ᾦὦι ᾧὧι ᾲὰι ᾳαι ᾴάι ᾷᾶι ῂὴι ῃηι ῄήι ῇῆι ῲὼι ῳωι ῴώι ῷῶι',
    ' ') AS pair
UNION ALL  -- Cherokee, whose capital letters are the older ones
SELECT chr(number), chr(number - x'AB70'::integer + x'13A0'::integer)
FROM generate_series(x'AB70'::integer, x'ABBF'::integer) AS number;

CREATE TEMPORARY TABLE folded_tags ON COMMIT DROP AS
SELECT photo_id, tag, (
    SELECT string_agg(coalesce(f.folded, s.letter), '' ORDER BY s.position)
    FROM string_to_table(tag, NULL) WITH ORDINALITY AS s (letter, position) LEFT JOIN folded_letters f USING (letter)
) AS folded
FROM photo_tags WHERE tag ~ (SELECT '[' || string_agg(letter, '') || ']' FROM folded_letters);

INSERT INTO photo_tags (tag, photo_id) SELECT folded, photo_id FROM folded_tags ON CONFLICT DO NOTHING;
DELETE FROM photo_tags t USING folded_tags f WHERE t.photo_id = f.photo_id AND t.tag = f.tag;
UPDATE photos p SET tags = (
    SELECT jsonb_agg(tag ORDER BY first) FROM (
        SELECT coalesce(f.folded, e.tag) AS tag, min(e.position) AS first
        FROM jsonb_array_elements_text(p.tags) WITH ORDINALITY AS e (tag, position)
        LEFT JOIN folded_tags f ON f.photo_id = p.id AND f.tag = e.tag
        GROUP BY 1
    ) AS list
)
WHERE id IN (SELECT photo_id FROM folded_tags);

"""Lines that are code in one language or another and have no form of a statement: matched at their beginning."""

from __future__ import annotations

import re

# Directives, a template's head, clauses of SQL in capitals, definitions that no token tells from prose.
CODE_FORMS = re.compile(
    r"#(?:include|define|undef|pragma|ifdef|ifndef|endif)\b|template\s*<|<\?php"
    r"|SELECT\s+(?:DISTINCT\s+)?(?:\*|[\w.\"`(*]+\s*(?:[(,]|AS\b|FROM\b|$))"
    r"|INSERT INTO \w|UPDATE \w+ SET\b|DELETE FROM \w"
    r"|(?:CREATE|ALTER|DROP) (?:OR REPLACE )?(?:TEMP(?:ORARY)? )?(?:UNIQUE )?(?:TABLE|INDEX|VIEW)\b"
    r"|WITH (?:RECURSIVE )?\w+ AS \("
    r"|\$[a-z_]\w*\s*(?:[-+.*/]?=[^=]|->|\[)[^$]*(?:\$[a-z_]\w*\b[^$]*)*;$|(?:echo|export|throw)\s[^.]*;$"
    r"|def \w+[?!]?(?:\(.*\))?$|type [A-Za-z_]\w*\s*(?:struct\b|interface\b|func\b|map\b|[\[=*])"
    r"|(?:data|sealed|abstract|open|enum|public|static|final|export|pub) (?:class|interface|object|struct|enum) \w+"
)
# Clauses that go on, labels, what begins or ends a block or a comment.
DOUBTFUL_FORMS = re.compile(
    r"(?:FROM|WHERE|(?:(?:LEFT|RIGHT|INNER|FULL|CROSS|OUTER) )*JOIN|GROUP BY|ORDER BY|HAVING|LIMIT|UNION(?: ALL)?"
    r"|VALUES)\b.*[^.?!]$|(?:public|private|protected|default|case \w+)\s*:$|\}|/\*|\*/|--\s|end$|<\?php"
    r"|(?:else|do|try|finally|begin)$|[\w.]+\s+do\s*\||puts\s"
)

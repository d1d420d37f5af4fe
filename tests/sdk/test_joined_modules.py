"""The joined modules of the web application, run by Node.js."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from server.edge.joined_modules import joined_files


def test_joined_modules_run_as_the_single_ones_do(tmp_path: Path) -> None:
    """Each runs once, after those that it imports; names, aliases, exports of others and later imports are the same."""
    node = shutil.which("node")
    assert node is not None
    modules = {
        "count": 'export const order = [];\norder.push("count");\nexport async function one() {\n  return 1;\n}',
        "shape": '// a comment\nimport { order } from "./count.js";\norder.push("shape");\nexport class Shape {}',
        "all": 'export { one as first } from "./count.js";\nexport { Shape } from "./shape.js";',
        "parts/later": (
            'import { order as seen } from "../count.js";\nimport { extra } from "./extra.js";\n'
            "export function late() {\n  return [...seen, extra];\n}"
        ),
        "parts/extra": (
            'import { order } from "../count.js";\norder.push("extra");\n/** Text. */\nexport const extra = "// kept";'
        ),
        # Its import leads from its own folder, although it is joined with the module of the page.
        "parts/opener": 'export const open = () => import("./later.js");',
        "app": (
            'import { order } from "./count.js";\nimport { open } from "./parts/opener.js";\n'
            'import {\n  first,\n  Shape,\n} from "./all.js";\n'
            "order.push(await_free(first, Shape));\nfunction await_free(f, S) {\n  return `${typeof f} ${S.name}`;\n}\n"
            "open().then(async ({ late }) => console.log(JSON.stringify([late(), await first()])));"
        ),
    }
    page = b'<script type="module" src="/static/js/app.js"></script>'
    sources = {f"js/{name}.js": text.encode() for name, text in modules.items()}
    for path, text in joined_files({"index.html": page, **sources}).items():
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    command = [node, str(tmp_path / "joined/js/app.js")]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert output == '[["count","shape","function Shape","extra","// kept"],1]\n'

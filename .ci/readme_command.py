"""Print the first command in the README that contains a word: what CI runs is what people read."""

import re
import sys
from pathlib import Path

readme = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
fences = re.findall(r"^ *```(?:sh|bash|console)\n(.*?)^ *```", readme, re.DOTALL | re.MULTILINE)
commands = "\n".join(fences).replace("\\\n", " ").split("\n")
for command in commands:
    if sys.argv[1] in command:
        sys.stdout.write(command.strip().removeprefix("$ ") + "\n")
        break
else:
    sys.exit(f"README.md has no command with '{sys.argv[1]}' in a ```sh block")

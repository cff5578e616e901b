// The reference implementation of LSP documents, driven line by line: a document and its edits come
// in as JSON, and the length and a hash of the text behind each edit go back.
const { TextDocument } = require(process.argv[2]);
const { createHash } = require("node:crypto");
const readline = require("node:readline");

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const { text, changes } = JSON.parse(line);
  let document = TextDocument.create("file:///a", "x", 0, text);
  const seen = changes.map((change, at) => {
    // Anew each time: behind an edit beyond the last line its own table of lines is wrong (1.0.16).
    document = TextDocument.create("file:///a", "x", at, document.getText());
    document = TextDocument.update(document, [change], at + 1);
    return createHash("md5").update(document.getText(), "utf16le").digest("hex");
  });
  process.stdout.write(JSON.stringify(seen) + "\n");
});

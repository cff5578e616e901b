// What published clients of any language server do, and nothing more: no middleware, no settings of
// the server's, no proposed features, the toasts of vscode-languageclient as they are.
const { workspace } = require("vscode");

const LIBRARIES = {
  9: require("vscode-languageclient-9/node"),
  11: require("vscode-languageclient-11/node"),
};
let client;

exports.activate = async () => {
  const settings = workspace.getConfiguration("generic");
  const { LanguageClient } = LIBRARIES[settings.get("languageclient")];
  const [command, ...args] = settings.get("command");
  client = new LanguageClient(
    "generic",
    "Generic LSP client",
    { command, args },
    { documentSelector: ["python"], initializationOptions: settings.get("initializationOptions") },
  );
  await client.start();
};

exports.deactivate = () => client?.stop();

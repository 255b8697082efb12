import Adapters
internal import ArgumentParser
import Foundation
import StrictJSON

/// `graft convert`: an adapter of one format in another.
struct ConvertCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "convert",
        abstract:
            "Writes an adapter in another format: PEFT, GGUF, loralib, P-tuning v2, AdapterHub.",
        discussion: """
            What the source is, its content says: a PEFT directory, a .lora, a GGUF LoRA, an AdapterHub \
            directory, a loralib state dict or THUDM prefix encoder. State dicts carry no settings: \
            give them here, or in lora_config.json or config.json beside the file.

              graft convert --from law.gguf --base model.gguf --to peft --out law
              graft convert --from lora.pt --alpha 16 --to peft --out law.lora
            """)

    @Option(name: .customLong("from"), help: ArgumentHelp("The adapter.", valueName: "path"))
    var source: String
    @Option(
        name: .customLong("to"),
        help: "The format to write: peft, gguf, loralib, ptuning-v2 or adapterhub.",
        transform: { try Choice.value($0) })
    var format: AdapterFormat
    @Option(help: ArgumentHelp("What to write; must not exist.", valueName: "path"))
    var out: String
    @Option(
        help: ArgumentHelp(
            "The base that the adapter belongs to; only its configuration is read.",
            valueName: "path"))
    var base: String?
    @Option(help: "lora_alpha of a loralib state dict.") var alpha: Double?
    @Option(help: "Which biases a loralib state dict has: none, all or lora_only.")
    var bias: String?
    @Option(
        help: ArgumentHelp(
            "Which projections of loralib's MergedLinear have factors, as true,false,true.",
            valueName: "flags"))
    var enableLora: String?
    @Option(
        help: ArgumentHelp(
            "Which modules of the base the projections of a MergedLinear are, as "
                + "c_attn=q_proj,k_proj,v_proj; repeatable.", valueName: "module=names"))
    var projections: [String] = []

    func run() throws {
        let conversion = try AdapterConversion(
            from: source, basePath: base, settings: try settings().serialized())
        let report = try conversion.write(as: format, to: out)
        for note in report.notes { writeToStandardError(note) }
        print("\(out): \(report.tensorCount) tensors")
    }

    private func settings() throws -> JSONValue {
        var settings = JSONObject()
        if let alpha { settings["lora_alpha"] = .number(alpha) }
        if let bias { settings["bias"] = .string(bias) }
        if let enableLora {
            settings["enable_lora"] = .array(
                try enableLora.split(separator: ",").map { flag in
                    guard let flag = Bool(String(flag)) else {
                        throw ValidationError(
                            "--enable-lora is \(enableLora), expected true,false,…")
                    }
                    return .bool(flag)
                })
        }
        var modules = JSONObject()
        for text in projections {
            let parts = text.split(separator: "=", maxSplits: 1)
            guard parts.count == 2 else {
                throw ValidationError(
                    "--projections is \(text), expected c_attn=q_proj,k_proj,v_proj")
            }
            modules[String(parts[0])] = .array(
                parts[1].split(separator: ",").map { .string(String($0)) })
        }
        if modules.count > 0 { settings["projections"] = .object(modules) }
        return .object(settings)
    }
}

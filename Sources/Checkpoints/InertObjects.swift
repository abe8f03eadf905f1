/// Python objects that training programs leave next to the weights and that hold data alone: command
/// lines, times, paths, settings, states of random generators.
///
/// They are passed over by name: whatever a pickle does with one, nothing is made and nothing runs.
/// The list is closed, for a name that is not on it is a sign of a file that was tampered with.
enum InertObjects {
  static func contains(module: String, name: String) -> Bool {
    names[module]?.contains(name) == true
  }

  private static let names: [String: Set<String>] = {
    let builtins: Set<String> = [
      "set", "frozenset", "complex", "slice", "range", "xrange", "bytearray", "list", "dict",
      "tuple", "int", "long", "float", "str", "unicode", "bool", "object",
    ]
    let paths: Set<String> = [
      "Path", "PosixPath", "WindowsPath", "PurePath", "PurePosixPath", "PureWindowsPath",
    ]
    let numbers: Set<String> = [
      "bool_", "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
      "float16", "float32", "float64", "longdouble", "complex64", "complex128", "str_", "bytes_",
      "datetime64", "timedelta64",
    ]
    let generators: Set<String> = [
      "__randomstate_ctor", "__generator_ctor", "__bit_generator_ctor",
    ]
    var names: [String: Set<String>] = [
      "builtins": builtins, "__builtin__": builtins, "pathlib": paths, "pathlib._local": paths,
      "numpy": numbers, "numpy.random._pickle": generators,
      "numpy.random._mt19937": ["MT19937"], "numpy.random._pcg64": ["PCG64"],
      "argparse": ["Namespace"], "types": ["SimpleNamespace"], "typing": ["Any"],
      "datetime": ["datetime", "date", "time", "timedelta", "timezone"],
      "collections": ["deque", "Counter"], "uuid": ["UUID"], "decimal": ["Decimal"],
      "fractions": ["Fraction"],
      "torch": [
        "Size", "device", "float32", "float64", "float16", "bfloat16", "int8", "int16", "int32",
        "int64", "uint8", "bool", "strided", "contiguous_format", "channels_last",
        "channels_last_3d", "preserve_format",
      ],
      "torch.serialization": ["_get_layout"],
    ]
    // Mappings that training frameworks keep settings in.
    for (module, name) in [
      ("easydict", "EasyDict"), ("addict.addict", "Dict"), ("yacs.config", "CfgNode"),
      ("ml_collections.config_dict.config_dict", "ConfigDict"),
      ("ml_collections.config_dict.config_dict", "FrozenConfigDict"),
      ("pytorch_lightning.utilities.parsing", "AttributeDict"),
      ("lightning_fabric.utilities.data", "AttributeDict"),
      ("lightning.fabric.utilities.data", "AttributeDict"),
      ("omegaconf.dictconfig", "DictConfig"), ("omegaconf.listconfig", "ListConfig"),
      ("omegaconf.base", "ContainerMetadata"), ("omegaconf.base", "Metadata"),
      ("omegaconf.nodes", "AnyNode"), ("omegaconf.nodes", "StringNode"),
      ("omegaconf.nodes", "IntegerNode"), ("omegaconf.nodes", "FloatNode"),
      ("omegaconf.nodes", "BooleanNode"),
    ] { names[module, default: []].insert(name) }
    return names
  }()
}

# For prebuildify on a native machine; the files in prebuilds/ come from scripts/build-shims.ts, with the same flags.
# It lies here and not in the root, where npm would compile it at every installation.
{
  "targets": [
    {
      "target_name": "isthmus",
      "sources": ["binding.cc", "binding_arguments.cc", "binding_object.cc", "binding_state.cc", "binding_wait.cc"],
      "include_dirs": ["../node_modules/node-api-headers/include", "../node_modules/node-addon-api"],
      "defines": ["NAPI_VERSION=8", "NAPI_DISABLE_CPP_EXCEPTIONS", "NODE_ADDON_API_DISABLE_DEPRECATED"],
      "conditions": [
        [
          "OS=='linux'",
          {
            "sources": [
              "linux_failure.c",
              "linux_file.c",
              "linux_fork.c",
              "linux_handle.c",
              "linux_lock.c",
              "linux_map.c",
              "linux_name.c",
              "linux_object.c",
              "linux_size.c",
              "linux_wait.c",
              "linux_watch.c"
            ],
            "defines": ["_GNU_SOURCE"],
            # They would rename open to open64 and so on, which musl does not have.
            "defines!": ["_FILE_OFFSET_BITS=64", "_LARGEFILE_SOURCE"],
            "cflags": [
              "-Os",
              "-fvisibility=hidden",
              "-ffunction-sections",
              "-fdata-sections",
              "-fno-stack-protector",
              "-fno-unwind-tables",
              "-fno-asynchronous-unwind-tables",
              "-fno-ident",
              "-U_FORTIFY_SOURCE"
            ],
            "cflags_c": ["-std=c11"],
            "cflags_cc": ["-std=c++17", "-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics"],
            "ldflags": [
              "-nostdlib",
              "-Wl,--gc-sections",
              "-Wl,-z,relro",
              "-Wl,-z,now",
              "-Wl,-z,nodelete",
              "-Wl,--version-script=<(module_root_dir)/linux_exports.map"
            ],
            "conditions": [
              ["target_arch=='arm64'", {"cflags": ["-mno-outline-atomics"]}],
              ["target_arch=='x64'", {"cflags": ["-fno-plt"]}]
            ]
          }
        ]
      ]
    }
  ]
}

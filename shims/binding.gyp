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
              "linux_file.c",
              "linux_handle.c",
              "linux_name.c",
              "linux_object.c",
              "linux_size.c",
              "linux_wait.c",
              "posix_failure.c",
              "posix_file.c",
              "posix_fork.c",
              "posix_lock.c",
              "posix_map.c",
              "posix_name.c",
              "posix_object.c",
              "posix_size.c",
              "posix_wait.c",
              "posix_watch.c"
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
        ],
        [
          "OS=='mac'",
          {
            "sources": [
              "darwin_file.c",
              "darwin_handle.c",
              "darwin_index.c",
              "darwin_name.c",
              "darwin_object.c",
              "darwin_size.c",
              "darwin_wait.c",
              "posix_failure.c",
              "posix_file.c",
              "posix_fork.c",
              "posix_lock.c",
              "posix_map.c",
              "posix_name.c",
              "posix_object.c",
              "posix_size.c",
              "posix_wait.c",
              "posix_watch.c"
            ],
            "xcode_settings": {
              "MACOSX_DEPLOYMENT_TARGET": "11.0",
              "GCC_SYMBOLS_PRIVATE_EXTERN": "YES",
              "GCC_ENABLE_CPP_EXCEPTIONS": "NO",
              "GCC_ENABLE_CPP_RTTI": "NO",
              "GCC_THREADSAFE_STATICS": "NO",
              "CLANG_CXX_LANGUAGE_STANDARD": "c++17",
              "GCC_C_LANGUAGE_STANDARD": "c11",
              "GCC_OPTIMIZATION_LEVEL": "s"
            }
          }
        ]
      ]
    }
  ]
}

/**
 * Runs programs for Windows under Wine 10, which Debian 12 does not have: a small Debian 13 with Wine, made from the mirror that
 * apt uses here, in a folder of its own. The system and the sources of apt stay as they are. Making it takes a minute, once.
 *
 * Each run has its own processes, mounts, /tmp and /dev/shm, and a copy of drive C: that is thrown away. When it ends, in
 * whatever way, all of its processes end.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readSync, renameSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { installPackages, step, unpackDebian } from "./lane.js";
import { MMDEBSTRAP, tree, WINE_DRIVE, WINE_ROOT } from "./places.js";

const RELEASE = "trixie";
/** How often the output of a run is looked at. */
const LOOK_MS = 200;

/** Nothing is shown, no debugger is started, and nothing is said of what Wine does not have. */
const ENVIRONMENT = [
  ...["PATH=/usr/bin:/bin", "HOME=/tmp", "LANG=C.UTF-8", "XDG_RUNTIME_DIR=/tmp"],
  ...["WINEPREFIX=/wine", "WINEARCH=win64", "WINEDEBUG=-all"],
  "WINEDLLOVERRIDES=mscoree,mshtml=;winedbg.exe=d",
];

/** The mirror from which apt gets the release that runs here. */
function mirror(): string {
  const uris = step("apt-get", ["indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"], "/");
  const found = uris.split("\n").find((uri) => /\/debian\/?$/.test(uri));
  if (!found) throw new Error(`no source of apt is a mirror of Debian:\n${uris}`);
  return found;
}

function makeRoot(): void {
  if (existsSync(WINE_ROOT)) return;
  unpackDebian("windows", ["mmdebstrap"]);
  const from = mirror();
  console.log(`making ${WINE_ROOT}: Debian ${RELEASE} with Wine, from ${from}`);
  const unfinished = `${WINE_ROOT}.${process.pid}`;
  mkdirSync(dirname(WINE_ROOT), { recursive: true });
  try {
    const wanted = ["--variant=apt", "--include=wine,wine64,libwine", RELEASE, unfinished, from];
    step("perl", [MMDEBSTRAP, ...wanted], dirname(WINE_ROOT));
    for (const folder of ["wine", "drive", "drive/isthmus", "out"]) mkdirSync(`${unfinished}/${folder}`);
    renameSync(unfinished, WINE_ROOT);
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
}

/** Runs within namespaces of its own: $1 is what to mount at /wine, $2 the file of the output, $3 the commands. */
const SCRIPT = `
set -e
cd "$ROOT"
mount --make-rprivate /
mount -t proc proc proc
mount --rbind /dev dev
mount -t tmpfs tmpfs dev/shm
mount -t tmpfs tmpfs tmp
mount --bind "$TREE" drive/isthmus
if [ -d "$DRIVE" ]; then
  mkdir tmp/lower tmp/upper tmp/aside
  mount --bind "$DRIVE" tmp/lower
  mount -t overlay overlay -o lowerdir=tmp/lower,upperdir=tmp/upper,workdir=tmp/aside wine
else
  mkdir "$DRIVE.new"
  mount --bind "$DRIVE.new" wine
fi
exec chroot . env -i ${ENVIRONMENT.map((variable) => `'${variable}'`).join(" ")} "$@"
`;

/** Starts a program of the small Debian. Both of its outputs go to a file: programs of Wine cannot write to a pipe of Linux. */
function startInside(command: string[], output: number): ChildProcess {
  const namespaces = ["--mount", "--pid", "--fork", "--kill-child"];
  return spawn("unshare", [...namespaces, "sh", "-c", SCRIPT, "sh", ...command], {
    stdio: ["ignore", output, output],
    env: { PATH: process.env.PATH, ROOT: WINE_ROOT, DRIVE: WINE_DRIVE, TREE: tree },
  });
}

/** Runs a program of the small Debian, and passes on what it prints. Its exit code. */
async function runInside(command: string[], print: (text: string) => void): Promise<number> {
  const file = `${WINE_ROOT}.output.${process.pid}`;
  const output = openSync(file, "w+");
  rmSync(file);
  let at = 0;
  const look = (): void => {
    const chunk = Buffer.alloc(2 ** 20);
    for (let bytes = readSync(output, chunk, 0, chunk.length, at); bytes > 0; ) {
      print(chunk.toString("utf8", 0, bytes));
      at += bytes;
      bytes = readSync(output, chunk, 0, chunk.length, at);
    }
  };
  const timer = setInterval(look, LOOK_MS);
  try {
    const child = startInside(command, output);
    return await new Promise((resolve, reject) => {
      child.on("error", reject);
      child.on("exit", (code) => resolve(code ?? 1));
    });
  } finally {
    clearInterval(timer);
    look();
    closeSync(output);
  }
}

/** Drive C: as Wine makes it, and drive W:, which has the tree. */
async function makeDrive(): Promise<void> {
  if (existsSync(WINE_DRIVE)) return;
  console.log(`making ${WINE_DRIVE}: drive C: of Wine`);
  rmSync(`${WINE_DRIVE}.new`, { recursive: true, force: true });
  let said = "";
  const code = await runInside(
    ["sh", "-c", "wineboot -i && wineserver -w && ln -s /drive /wine/dosdevices/w:"],
    (text) => {
      said += text;
    },
  );
  if (code !== 0) throw new Error(`wineboot ended with code ${code}\n${said}`);
  renameSync(`${WINE_DRIVE}.new`, WINE_DRIVE);
}

/** Gets Wine and the runtimes for Windows. */
export async function getWine(): Promise<void> {
  if (process.getuid?.() !== 0) throw new Error("this lane needs the superuser, for mounts of its own");
  installPackages("windows");
  makeRoot();
  await makeDrive();
}

/**
 * Runs a program for Windows in the root of the tree to its end, and passes on what it prints. Its exit code.
 *
 * @param command its file, by a path in the tree, and its arguments
 * @param environment in addition to what Windows has
 */
export function runInWine(
  [file, ...args]: [string, ...string[]],
  print: (text: string) => void,
  environment: Record<string, string> = {},
): Promise<number> {
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  const script = 'cd /drive/isthmus && wine "$@"; code=$?; wineserver -k; exit $code';
  return runInside(["env", ...variables, "sh", "-c", script, "sh", file, ...args], print);
}

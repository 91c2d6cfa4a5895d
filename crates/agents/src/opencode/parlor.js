// Parlor's plugin for OpenCode, put here by `parlor install opencode`; `parlor uninstall opencode` takes it away.
// It runs Parlor's hook at the moments OpenCode knows and hands on what the hook answers. Whatever fails, OpenCode goes on.
import { spawn } from "node:child_process"

const HOOK = ["parlor-hook", "opencode"]
// The hook itself takes 300 ms at most.
const WAIT_MS = 2000
const WAKE_EXIT = 2

// A headless run ends with its turn: nobody is there to go on, or to be woken.
const isHeadless = process.argv[2] === "run"

function start(args, call, whenDone) {
  try {
    const child = spawn(HOOK[0], [...HOOK.slice(1), ...args], { stdio: ["pipe", "pipe", "pipe"] })
    const said = { out: "", err: "" }
    child.stdout.on("data", (bytes) => (said.out += bytes))
    child.stderr.on("data", (bytes) => (said.err += bytes))
    child.stdin.on("error", () => {})
    child.on("error", () => whenDone({ out: "", err: "" }, null))
    child.on("close", (code) => whenDone(said, code))
    child.stdin.end(JSON.stringify(call))
  } catch {
    whenDone({ out: "", err: "" }, null)
  }
}

export const Parlor = async ({ client, directory }) => {
  const known = new Set() // sessions whose start the hook was told
  const fresh = new Set() // sessions that began in this process
  const inner = new Set() // sessions of subagents, which hear nothing
  const goneOn = new Set() // sessions whose turn goes on because the hook wanted it to
  const waiting = new Set() // sessions beside which a hook waits
  const late = new Map() // what came too late for its moment, for the next one

  const call = (session, name, more) => ({ session_id: session, cwd: directory, hook_event_name: name, ...more })

  // What the hook says at this moment, or nothing.
  const ask = (session, name, more = {}) =>
    new Promise((resolve) => {
      let isOver = false
      const take = (text) => {
        const before = late.get(session) ?? ""
        late.delete(session)
        resolve((before + text).trim())
      }
      const timer = setTimeout(() => {
        isOver = true
        take("")
      }, WAIT_MS)
      start([], call(session, name, more), (said) => {
        clearTimeout(timer)
        if (!isOver) take(said.out)
        else if (said.out) late.set(session, (late.get(session) ?? "") + said.out)
      })
    })

  const begin = async (session) => {
    if (known.has(session)) return ""
    known.add(session)
    return ask(session, "SessionStart", { source: fresh.has(session) ? "startup" : "resume" })
  }

  const prompt = (session, text) => {
    const request = { path: { id: session }, body: { parts: [{ type: "text", text, synthetic: true }] } }
    goneOn.add(session)
    return (client.session.promptAsync ?? client.session.prompt).call(client.session, request)
  }

  const wait = (session) => {
    if (waiting.has(session)) return
    waiting.add(session)
    start(["--idle"], call(session, "Idle"), (said, code) => {
      waiting.delete(session)
      if (code === WAKE_EXIT && said.err) prompt(session, said.err).catch(() => {})
    })
  }

  const stopped = async (session) => {
    if (isHeadless || inner.has(session) || !known.has(session)) return
    const wasGoneOn = goneOn.delete(session)
    const text = await ask(session, "Stop", { stop_hook_active: wasGoneOn })
    if (text) await prompt(session, text)
    else wait(session)
  }

  const end = async (session) => {
    if (known.delete(session)) await ask(session, "SessionEnd", { reason: "exit" })
  }

  const quietly = (work) => async (...given) => {
    try {
      await work(...given)
    } catch {}
  }

  return {
    "chat.message": quietly(async ({ sessionID }, output) => {
      if (inner.has(sessionID)) return
      const texts = [await begin(sessionID), await ask(sessionID, "Prompt")].filter(Boolean)
      for (const [at, text] of texts.entries()) {
        // Parts are ordered by their ids: these come after what the human typed.
        const id = `prt_z${Date.now().toString(36)}${at}${Math.random().toString(36).slice(2, 10)}`
        output.parts.push({ id, sessionID, messageID: output.message.id, type: "text", text, synthetic: true })
      }
    }),
    "tool.execute.after": quietly(async ({ sessionID }, output) => {
      if (inner.has(sessionID) || !known.has(sessionID)) return
      const text = await ask(sessionID, "PostTool")
      if (!text) return
      if (typeof output.output === "string") output.output += `\n\n${text}`
      else if (Array.isArray(output.content)) output.content.push({ type: "text", text })
      else late.set(sessionID, text)
    }),
    event: quietly(async ({ event }) => {
      const { info, sessionID } = event.properties ?? {}
      if (event.type === "session.created") (info?.parentID ? inner : fresh).add(info?.id)
      if (event.type === "session.idle") await stopped(sessionID)
      if (event.type === "session.deleted") await end(info?.id ?? sessionID)
    }),
    dispose: quietly(async () => {
      await Promise.all([...known].map(end))
    }),
  }
}

/**
 * Texts that make bundled modules run without npm, and the program start in the user's environment and
 * without the parts of the runtime that it does not use: each built-in module that is loaded brings some
 * thirty others along, 10 to 60 ms of every start.
 */

/** All that the parser of the command line does with events. */
const EVENT_EMITTER = `class EventEmitter{#heard=new Map();` +
  `on(name,listener){this.#heard.set(name,[...this.#heard.get(name)??[],listener]);return this}` +
  `emit(name,...given){const heard=this.#heard.get(name)??[];` +
  `for(const listener of heard)listener.apply(this,given);return heard.length>0}` +
  `listenerCount(name){return this.#heard.get(name)?.length??0}}`;

/**
 * A `require` for CommonJS packages, which the bundler leaves theirs to. It knows built-in modules only,
 * so that nothing is ever looked up in a node_modules folder above the cache. The parser of the command
 * line requires modules that it never uses here: those that are plain namespaces load at their first use.
 */
export const REQUIRE_TEXT = `const events={EventEmitter:${EVENT_EMITTER}};` +
  `const load=name=>{const found=process.getBuiltinModule(name);if(found)return found;` +
  `throw Object.assign(new Error("not bundled: "+name),{code:"MODULE_NOT_FOUND"})};` +
  `const require=name=>/^(node:)?events$/.test(name)?events:` +
  `/^(node:)?(child_process|fs|path|process)$/.test(name)?new Proxy({},{` +
  `get:(_,key)=>load(name)[key],set:(_,key,value)=>Reflect.set(load(name),key,value),` +
  `has:(_,key)=>key in load(name)}):load(name);`;

/**
 * What stub.sh puts in GLIBC_TUNABLES for some commands, unless the caller has something there: memory in large
 * pages, which the first two need together (a heap that grows in small steps gets few), and kept for the
 * next buffer.
 */
export const TUNABLES = [
  "glibc.malloc.hugetlb=1",
  "glibc.malloc.top_pad=16777216",
  "glibc.malloc.mmap_threshold=4194304",
  "glibc.malloc.trim_threshold=67108864",
].join(":");

/**
 * The first module of a run. Undoes what stub.sh does to the environment for the sake of the runtime alone.
 *
 * The runtime keeps analyses and compiled code in databases in DENO_DIR. It never closes them, so that
 * what a first start wrote would stay in their write-ahead logs, and each later start would read those
 * from end to end: 20 ms. Here the end of a run that wrote something moves it to where it belongs.
 */
export const ENVIRONMENT_TEXT = `const env=Deno.env,home=env.get("LANDROPIC_CALLER_HOME"),` +
  `cache=env.get("DENO_DIR");` +
  `home===undefined?env.delete("HOME"):env.set("HOME",home);` +
  `for(const name of["LANDROPIC_CALLER_HOME","DENO_DIR","DENO_NO_UPDATE_CHECK","DENO_NO_PROMPT"])` +
  `env.delete(name);` +
  `if(env.get("GLIBC_TUNABLES")==="${TUNABLES}")env.delete("GLIBC_TUNABLES");` +
  `addEventListener("unload",()=>{try{for(const{name}of Deno.readDirSync(cache)){` +
  `const path=cache+"/"+name;if(!name.endsWith("-wal")||Deno.statSync(path).size===0)continue;` +
  `const{DatabaseSync}=process.getBuiltinModule("node:sqlite");` +
  `const database=new DatabaseSync(path.slice(0,-4));` +
  `try{database.exec("PRAGMA wal_checkpoint(TRUNCATE)")}finally{database.close()}}}catch{}});\n`;

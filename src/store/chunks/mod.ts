/**
 * Chunks: how a file is cut, named and put together again.
 *
 * Owns the content-defined chunker and its parameters, recipes (the chunks of a file and the digest
 * that names them), the index of chunks at hand, and the plan of what to copy and what to fetch. It
 * never opens a file, writes one or talks to a peer: bytes come in as arrays or through a reader that
 * the caller owns, plans go out.
 */
export {
  type AssemblyStep,
  type AssemblyTotals,
  type ChunkLookup,
  type CopyStep,
  type FetchStep,
  planAssembly,
  type RepeatStep,
  totalsOf,
  type ZerosStep,
} from "./assembly.ts";
export {
  CHUNK_INDEX_CHUNKS_MAX,
  ChunkIndex,
  type ChunkIndexOptions,
  type ChunkPlace,
} from "./chunk_index.ts";
export { ChunkSlice, type ChunkTable, cutChunks } from "./chunk_slice.ts";
export { Chunker } from "./chunker.ts";
export { RecipeError } from "./errors.ts";
export { GROUP_CHUNKS_MAX, GROUP_CHUNKS_MIN } from "./group.ts";
export {
  decodeGroupList,
  GROUP_LIST_BYTES_MAX,
  GroupList,
  GROUPS_PER_FILE_MAX,
} from "./group_list.ts";
export { HASH_BUFFER_BYTES, hashFile, type HashFileOptions, type ReadAt } from "./hash_file.ts";
export {
  CHUNK_BYTES_MAX,
  chunkerFor,
  type ChunkerParameters,
  CHUNKERS,
  CHUNKS_PER_FILE_MAX,
  FILE_BYTES_MAX,
} from "./parameters.ts";
export { decodeRecipe, encodeRecipe, Recipe } from "./recipe.ts";
export { RecipeBuilder, recipeOf } from "./recipe_builder.ts";
export { encodeChunkLists, RecipeCollector } from "./recipe_collector.ts";
export { isZeros } from "./zeros.ts";

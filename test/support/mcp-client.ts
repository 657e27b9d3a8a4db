import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { type CallToolResult } from '@modelcontextprotocol/sdk/types.js';

export type Args = Record<string, unknown>;

export interface Answer {
  isError: boolean;
  text: string;
  /** `structuredContent`; the client has checked it against the tool's output schema. */
  data: ReturnType<typeof JSON.parse>;
}

/** An agent's side of MCP: the client of the official SDK, over HTTP. */
export class McpClient {
  private constructor(readonly client: Client) {}

  static async connect(url: string, headers: Record<string, string>): Promise<McpClient> {
    const client = new Client({ name: 'test', version: '1' });
    await client.connect(
      new StreamableHTTPClientTransport(new URL('/mcp', url), { requestInit: { headers } }),
    );
    // It checks answers only of tools that it has seen in a list.
    await client.listTools();
    return new McpClient(client);
  }

  async call(name: string, args: Args = {}, options: object = {}): Promise<Answer> {
    const result = (await this.client.callTool(
      { name, arguments: args },
      undefined,
      options,
    )) as CallToolResult;
    const [first] = result.content;
    return {
      isError: result.isError === true,
      text: first?.type === 'text' ? first.text : '',
      data: result.structuredContent,
    };
  }

  close(): Promise<void> {
    return this.client.close();
  }
}

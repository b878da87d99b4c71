<?php

declare(strict_types=1);

namespace Proletarier\Tests\Fixture;

use Proletarier\Exception\Rejected;

/**
 * A daemon's control socket, as far as the commands need one: it looks at two entries of its store for each request, so that pages are
 * short, empty ones among them. Remembers what it was asked.
 */
final class FakeControl
{
    private const LOOKS_AT = 2;

    /** @var list<array<string, mixed>> */
    public array $requests = [];

    /** @var list<array<string, mixed>> */
    public array $imported = [];

    /** @var list<string> the ids that are watched */
    public array $watched = [];

    /** @var list<array<string, mixed>|\Throwable> answers to `outcome`, one after the other, the last for good */
    public array $outcomes = [];

    public int $reloads = 0;

    /** @var list<array<string, mixed>|\Throwable> answers to `status`, one after the other, the last for good; none: the backlog alone */
    public array $statuses = [];

    /**
     * @param array<int, array<string, mixed>> $letters dead ones, by cursor
     * @param array<int, array<string, mixed>> $events waiting ones, by cursor
     */
    public function __construct(public array $letters = [], public array $events = [])
    {
    }

    /** @return array<string, mixed> */
    public static function letter(string $id, string $name = 'order.placed', string $listener = 'warehouse', array $params = ['n' => 1]): array
    {
        $failure = [
            'kind' => 'thrown', 'class' => 'RuntimeException', 'message' => 'the warehouse is busy', 'file' => '/srv/W.php', 'line' => 7,
            'trace' => "#0 a\n#1 b", 'retry_after' => null,
        ];

        return [
            'id' => $id,
            'name' => $name,
            'listeners' => [$listener],
            'attempts' => [['attempt' => 1, 'at' => 1_700_000_000_000_000, 'failure' => $failure]],
            'at' => 1_700_000_001_000_000,
            'triggered_at' => 1_699_999_999_000_000,
            'kind' => 'thrown',
            'error' => 'RuntimeException: the warehouse is busy',
            'params' => $params,
        ];
    }

    /** @return array<string, mixed> */
    public static function event(string $id, string $name = 'order.placed', string $state = 'pending'): array
    {
        return [
            'id' => $id,
            'name' => $name,
            'state' => $state,
            'due' => $state === 'delayed' ? 1_700_000_009_000_000 : null,
            'attempt' => 1,
            'listeners' => null,
            'triggered_at' => 1_700_000_000_000_000,
            'expires' => null,
            'params' => ['n' => 1],
        ];
    }

    public function request(array $request): array
    {
        // What goes over the wire is JSON.
        $this->requests[] = $request = json_decode(json_encode($request, JSON_THROW_ON_ERROR), true);

        return match ($request['command']) {
            'reload' => ['reload' => ++$this->reloads],
            'stop' => ['stopping' => true],
            'queue_pause', 'queue_resume' => ['queue' => $request['queue']],
            'status' => $this->statuses !== [] ? $this->status() : ['backlog' => ['pending' => 3, 'reserved' => 1, 'parked' => 2, 'dead' => count($this->letters)]],
            'failed' => $this->page('letters', $request, !($request['params'] ?? false)),
            'failed_export' => $this->page('letters', $request + ['limit' => 100], false),
            'failed_replay', 'failed_discard' => $this->change('letters', $request),
            'failed_import' => $this->import($request['letters']),
            'waiting' => $this->page('events', $request, !($request['params'] ?? false)),
            'waiting_cancel' => $this->change('events', $request),
            'watch' => ['watched' => array_push($this->watched, $request['id'])],
            'outcome' => $this->outcome(),
        };
    }

    private function import(array $letters): array
    {
        if (array_unique(array_column($letters, 'version')) !== [1]) {
            throw new Rejected('the daemon refused it');
        }
        array_push($this->imported, ...$letters);

        return ['done' => count($letters)];
    }

    private function status(): array
    {
        $status = count($this->statuses) > 1 ? array_shift($this->statuses) : $this->statuses[0];

        return $status instanceof \Throwable ? throw $status : $status;
    }

    private function outcome(): array
    {
        $outcome = count($this->outcomes) > 1 ? array_shift($this->outcomes) : $this->outcomes[0];

        return $outcome instanceof \Throwable ? throw $outcome : $outcome;
    }

    private function page(string $of, array $request, bool $bare): array
    {
        [$seen, $next] = $this->look($of, $request['after'], $request['limit']);
        $items = [];
        foreach ($seen as $cursor) {
            $item = ['cursor' => $cursor] + $this->$of[$cursor];
            if (self::fits($item, $request['filter'])) {
                $items[] = $bare ? array_diff_key($item, ['params' => 1]) : $item;
            }
        }

        return [$of => $items, 'next' => $next];
    }

    private function change(string $of, array $request): array
    {
        [$seen, $next] = isset($request['cursors']) ? [$request['cursors'], null] : $this->look($of, $request['after'], self::LOOKS_AT);
        [$done, $running] = [0, 0];
        foreach ($seen as $cursor) {
            if (self::fits($this->$of[$cursor], $request['filter'] ?? [])) {
                if (($this->$of[$cursor]['state'] ?? '') === 'running') {
                    $running++;
                    continue;
                }
                unset($this->$of[$cursor]);
                $done++;
            }
        }

        return ['done' => $done, 'running' => $running, 'next' => $next];
    }

    /** @return array{list<int>, int|null} */
    private function look(string $of, int $after, int $limit): array
    {
        $later = array_values(array_filter(array_keys($this->$of), static fn (int $cursor) => $cursor > $after));
        $seen = array_slice($later, 0, min($limit, self::LOOKS_AT));

        return [$seen, count($later) > count($seen) ? end($seen) : null];
    }

    private static function fits(array $item, array $filter): bool
    {
        foreach ($filter as $key => $wanted) {
            $fits = match ($key) {
                'name' => fnmatch($wanted, $item['name']),
                'listener' => in_array($wanted, $item['listeners'] ?? [], true),
                'text' => str_contains(json_encode($item['params']), $wanted),
                default => $item[$key] === $wanted,
            };
            if (!$fits) {
                return false;
            }
        }

        return true;
    }
}

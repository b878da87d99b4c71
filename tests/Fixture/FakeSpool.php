<?php

declare(strict_types=1);

namespace Proletarier\Tests\Fixture;

/**
 * A spool of events in memory, two to a page.
 */
final class FakeSpool
{
    /** @var list<array{string, array<string, mixed>}> */
    public array $requests = [];

    /**
     * @param array<int, array<string, mixed>> $records
     */
    public function __construct(public array $records, private int $stays = 0)
    {
    }

    /** @return array<string, mixed> */
    public static function record(string $id): array
    {
        return [
            'session' => str_repeat('ab', 16),
            'number' => 7,
            'id' => $id,
            'name' => 'order.placed',
            'spooled_at' => 1_700_000_001_000_000,
            'triggered_at' => 1_700_000_000_000_000,
            'params' => ['n' => 1],
        ];
    }

    public function request(string $action, array $options = []): array
    {
        $this->requests[] = [$action, $options];

        return match ($action) {
            'list' => $this->page($options),
            'drain' => [
                'sent' => count($this->records) - $this->stays,
                'left' => $this->stays,
                'reason' => $this->stays > 0 ? 'no broker answered' : null,
                'too_large' => $this->stays,
                'set_aside' => $this->stays > 0 ? ['9 bytes could not be read'] : [],
            ],
            'discard' => $this->discard($options),
        };
    }

    private function page(array $options): array
    {
        $later = array_filter($this->records, static fn (int $place) => $place > $options['after'], ARRAY_FILTER_USE_KEY);
        $page = array_slice($later, 0, min(2, $options['limit']), true);
        $records = array_filter($page, static fn (array $record) => $record['id'] === ($options['id'] ?? $record['id']));
        $records = array_map(static fn (array $record) => $options['params'] ? $record : array_diff_key($record, ['params' => 1]), $records);

        return ['records' => array_values($records), 'next' => count($later) > count($page) ? array_key_last($page) : null];
    }

    private function discard(array $options): array
    {
        $before = count($this->records);
        $this->records = array_filter($this->records, static fn (array $record) => !($options['all'] ?? false) && $record['id'] !== $options['id']);

        return ['done' => $before - count($this->records), 'set_aside' => []];
    }
}

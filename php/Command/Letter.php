<?php

declare(strict_types=1);

namespace Proletarier\Command;

/**
 * How a dead letter is shown.
 */
final class Letter
{
    public const HEADINGS = ['died', 'id', 'event', 'listener', 'attempts', 'error'];

    /**
     * @param array<string, mixed> $letter as the daemon answers it
     *
     * @return list<string>
     */
    public static function row(array $letter): array
    {
        return [
            Screen::time($letter['at']),
            $letter['id'],
            $letter['name'],
            self::listeners($letter),
            (string) count($letter['attempts']),
            $letter['error'],
        ];
    }

    /**
     * @param array<string, mixed> $letter
     */
    public static function show(array $letter, Screen $screen): void
    {
        $screen->heading(Screen::line("{$letter['name']}, failed"));
        Fields::show($screen, [
            'event' => $letter['name'],
            'id' => $letter['id'],
            'listener' => self::listeners($letter),
            'triggered' => Screen::time($letter['triggered_at'] ?? null, 'Y-m-d H:i:s T'),
            'died' => Screen::time($letter['at'], 'Y-m-d H:i:s T'),
            'kind' => $letter['kind'],
            'error' => $letter['error'],
        ]);
        foreach ($letter['attempts'] as $attempt) {
            self::attempt($attempt, $screen);
        }
        Fields::params($screen, $letter);
    }

    /**
     * @param array<string, mixed> $attempt
     */
    private static function attempt(array $attempt, Screen $screen): void
    {
        $failure = $attempt['failure'];
        $screen->heading("attempt {$attempt['attempt']}, " . Screen::time($attempt['at'], 'Y-m-d H:i:s T'));
        $screen->say('  ' . Screen::line("{$failure['class']}: {$failure['message']}"));
        if ($failure['file'] !== '') {
            $screen->say('  ' . Screen::line("in {$failure['file']}:{$failure['line']}"));
        }
        foreach ($failure['trace'] === '' ? [] : explode("\n", $failure['trace']) as $frame) {
            $screen->say('    ' . Screen::line($frame));
        }
        if (isset($attempt['replayed'])) {
            $screen->say('  replayed ' . Screen::time($attempt['replayed'], 'Y-m-d H:i:s T'));
        }
    }

    /**
     * @param array<string, mixed> $letter
     */
    public static function listeners(array $letter): string
    {
        return $letter['listeners'] === null ? '(all)' : implode(', ', $letter['listeners']);
    }
}

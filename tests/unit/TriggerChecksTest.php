<?php

declare(strict_types=1);

namespace Proletarier\Tests\Unit;

use PHPUnit\Framework\TestCase;
use Proletarier\ClientInterface;
use Proletarier\Testing\MockClient;
use Proletarier\Testing\RecordingClient;

/**
 * The doubles refuse and take what the extension's client does: both are held to tests/bad_input.php.
 */
final class TriggerChecksTest extends TestCase
{
    /**
     * @dataProvider cases
     */
    public function testCase(ClientInterface $client, \Closure $trigger, ?string $exception, string $message): void
    {
        if ($exception === null) {
            self::assertNotSame('', $trigger($client));

            return;
        }
        try {
            $trigger($client);
        } catch (\Throwable $error) {
            self::assertSame($message, $error->getMessage());
            self::assertInstanceOf($exception, $error);
            self::assertInstanceOf(\Proletarier\Exception\ExceptionInterface::class, $error);

            return;
        }
        self::fail("no $exception");
    }

    public static function cases(): iterable
    {
        foreach (require __DIR__ . '/../bad_input.php' as $label => $case) {
            yield "recording, $label" => [new RecordingClient(), ...$case];
            yield "mock, $label" => [new MockClient(), ...$case];
        }
    }
}

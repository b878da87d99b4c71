<?php

declare(strict_types=1);

namespace Proletarier\Tests\Unit;

use PHPUnit\Framework\TestCase;
use Proletarier\Command\Columns;
use Proletarier\Command\Screen;
use Symfony\Component\Console\Input\ArrayInput;
use Symfony\Component\Console\Output\BufferedOutput;

/**
 * Tables on terminals of different widths, and where there is none.
 */
final class ColumnsTest extends TestCase
{
    private const ERROR = 'RuntimeException: the warehouse in Zürich is not reachable';

    /**
     * @dataProvider widths
     *
     * @param list<string> $lines
     */
    public function testTheLastColumnIsCutOrGoesBelow(?int $width, array $lines): void
    {
        self::assertSame($lines, $this->shown($width, [['order.placed', '8', self::ERROR], ['a', '10', 'short']]));
    }

    public static function widths(): iterable
    {
        yield 'a file' => [null, ['event         tries  error', 'order.placed  8      ' . self::ERROR, 'a             10     short']];
        yield 'a wide one' => [80, ['event         tries  error', 'order.placed  8      ' . self::ERROR, 'a             10     short']];
        yield 'one that cuts' => [61, [
            'event         tries  error',
            'order.placed  8      RuntimeException: the warehouse in Züri…',
            'a             10     short',
        ]];
        yield 'a narrow one' => [60, [
            'event         tries  error',
            'order.placed  8',
            '    RuntimeException: the warehouse in Zürich is not reacha…',
            'a             10     short',
        ]];
    }

    public function testWhatIsWideTakesTwoPlaces(): void
    {
        $lines = $this->shown(61, [['注文', '1', str_repeat('倉', 30)]]);
        self::assertSame('注文   1      ' . str_repeat('倉', 23) . '…', $lines[1]);
    }

    public function testMoreOfARow(): void
    {
        $more = '{"a":"' . str_repeat('x', 50) . '"}';
        self::assertSame("a  1  b  $more", $this->shown(null, [['a', '1', 'b']], [$more], ['e', 't', 'x'])[1]);
        self::assertSame(['a  1  b', "    $more"], array_slice($this->shown(40, [['a', '1', 'b']], [$more], ['e', 't', 'x']), 1));
    }

    /**
     * @return list<string>
     */
    private function shown(?int $width, array $rows, array $below = [], array $headings = ['event', 'tries', 'error']): array
    {
        $output = new BufferedOutput();
        (new Columns(new Screen(new ArrayInput([]), $output, $width), $headings))->show($rows, $below);

        return explode("\n", rtrim($output->fetch()));
    }
}
